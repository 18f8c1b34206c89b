// Formulas are where Sphinx put them, and nowhere else. A formula within a line that is wider than
// a phone gets a box of its own, in which it scrolls.
window.MathJax = {
  svg: { fontCache: "local" },
  tex: {
    inlineMath: [["\\(", "\\)"]],
    displayMath: [["\\[", "\\]"]],
    packages: { "[-]": ["noerrors", "noundefined"] }, // what is not understood is to be seen
  },
  options: {
    enableMenu: false, // its entries would load parts that are not shipped
    ignoreHtmlClass: "bd-header|bd-container",
    processHtmlClass: "math",
  },
  startup: {
    pageReady: function () {
      function measure() {
        document.querySelectorAll("span.math").forEach(function (formula) {
          formula.classList.remove("wide");
          const drawn = formula.querySelector("mjx-container");
          const room = formula.closest("p, li, dd, td, div");
          if (drawn && drawn.getBoundingClientRect().width > room.clientWidth) {
            formula.classList.add("wide");
          }
        });
      }
      return MathJax.startup.defaultPageReady().then(function () {
        measure();
        window.addEventListener("resize", measure);
      });
    },
  },
};
