// Opens what a link points at, copies commands, and opens everything before printing. The page is whole without it.
(function () {
  function reveal() {
    var id = decodeURIComponent(location.hash.slice(1));
    var at = id && document.getElementById(id);
    for (var e = at; e; e = e.parentElement) if (e.tagName === "DETAILS") e.open = true;
    if (at) at.scrollIntoView();
  }
  window.addEventListener("hashchange", reveal);
  reveal();
  Array.prototype.forEach.call(document.querySelectorAll("button[data-copy]"), function (button) {
    var from = document.getElementById(button.getAttribute("data-copy"));
    button.hidden = false;
    button.addEventListener("click", function () {
      getSelection().selectAllChildren(from);
      button.textContent = document.execCommand("copy") ? "copied" : "selected: press Ctrl-C";
    });
  });
  var shut = [];
  window.addEventListener("beforeprint", function () {
    shut = Array.prototype.slice.call(document.querySelectorAll("details.print:not([open])"));
    shut.forEach(function (d) { d.open = true; });
  });
  window.addEventListener("afterprint", function () {
    shut.forEach(function (d) { d.open = false; });
  });
})();
