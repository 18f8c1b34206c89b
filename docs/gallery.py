"""Draw the gallery: python docs/gallery.py trains two embedded experiments and draws everything.

Writes ``docs/gallery.md`` and ``docs/pictures/gallery/``: each picture of
`handgrad picture --list`, with the command that draws it, and the film of `lines`.
"""

import shutil
import tempfile
from pathlib import Path

from handgrad.experiments import GALLERY, Subject, film_of, save_film, train
from handgrad.experiments.subject import NotThereError
from handgrad.pictures import save

PAGE = Path(__file__).parent / "gallery.md"
PLACE = Path(__file__).parent / "pictures" / "gallery"
RECIPES = ("lines", "digits")
SHOWN_OF = {"images": "digits", "means": "digits", "accuracy": "digits", "confusion": "digits"}
"""Those that the second says more about; others are of the first that has them."""

INTRODUCTION = """# The pictures

Every picture that `handgrad picture WHAT [RUN]` draws, as `python docs/gallery.py` made it: of
`lines` (24 images of 3x3 pixels, 74 numbers) and of `digits` (the default). `handgrad report` puts
all that a run has on one page. In Python each is a function of `handgrad.pictures` that takes plain
arrays.

"""


def main() -> None:
    """Train, draw, and write the page."""
    shutil.rmtree(PLACE, ignore_errors=True)
    PLACE.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as folder:
        runs = {name: train(name, out=Path(folder) / name) for name in RECIPES}
        subjects = {name: Subject.of(run.folder) for name, run in runs.items()}
        parts = [INTRODUCTION]
        for what, entry in GALLERY.items():
            for name in [SHOWN_OF.get(what, RECIPES[0]), *RECIPES]:
                try:
                    figure = entry.draw(subjects[name])
                except NotThereError:
                    continue
                save(figure, PLACE / f"{what}.png")
                alt = figure.alt.replace("\n", " ").replace("[", "(").replace("]", ")")
                parts.append(
                    f"## {entry.title}\n\n{entry.note or entry.about[0].upper() + entry.about[1:]}"
                    f"\n\n    handgrad train {name} && handgrad picture {what}\n\n"
                    f"![{alt}](pictures/gallery/{what}.png)\n\n"
                )
                break
        film = film_of(runs["lines"])
        save_film(film, runs["lines"], PLACE / "film.gif", most=68)
        parts.append(
            "## The film\n\n    handgrad train lines && handgrad film\n\n"
            f"![{film.alt}](pictures/gallery/film.gif)\n"
        )
    PAGE.write_text("".join(parts).rstrip() + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
