for (const film of document.querySelectorAll(".film")) {
  const frames = JSON.parse(film.querySelector("script").textContent);
  const [image, slider, words] = ["img", "input", "output"].map((name) => film.querySelector(name));
  film.querySelector("label").hidden = false;
  slider.addEventListener("input", () => {
    image.src = frames[slider.value].src;
    words.textContent = frames[slider.value].words;
  });
}
