// Improves pages that already work without it: a live part replaces its Refresh link by server-sent events, and a Copy
// button copies what stands beside it. Everything shown comes from the server as ready HTML of the same partial.
(function () {
  "use strict";

  function follow(part) {
    var source = new EventSource(part.dataset.live);
    var status = document.querySelector("[data-live-status]");
    source.addEventListener("fragment", function (message) {
      part.innerHTML = message.data;
    });
    source.addEventListener("done", function () {
      source.close();
      if (status) {
        status.textContent = "Finished";
      }
      if (part.dataset.whenDone) {
        window.location.assign(part.dataset.whenDone);
      }
    });
    source.addEventListener("open", function () {
      if (status) {
        status.textContent = "Live";
        status.classList.add("live");
      }
    });
    source.addEventListener("error", function () {
      if (status && source.readyState !== EventSource.CLOSED) {
        status.textContent = "Reconnecting";
        status.classList.remove("live");
      }
    });
  }

  document.querySelectorAll("[data-live]").forEach(follow);

  document.querySelectorAll("[data-copy]").forEach(function (button) {
    button.hidden = false;
    button.addEventListener("click", function () {
      var text = document.getElementById(button.dataset.copy).textContent.trim();
      navigator.clipboard.writeText(text).then(function () {
        button.textContent = "Copied";
      }, function () {
        button.textContent = "Select the text and copy it";
      });
    });
  });

  // A secret can be looked at while it is typed, never after.
  document.querySelectorAll("[data-reveal]").forEach(function (button) {
    var field = document.getElementById(button.dataset.reveal);
    button.hidden = false;
    button.addEventListener("click", function () {
      var hides = field.type === "text";
      field.type = hides ? "password" : "text";
      button.textContent = hides ? "Show" : "Hide";
    });
  });

  // The guide follows the field in focus.
  document.addEventListener("focusin", function (event) {
    document.querySelectorAll("[data-guide]").forEach(function (part) {
      part.classList.toggle("now", part.dataset.guide === event.target.id);
    });
  });

  // What was typed and not saved survives Back and an ended session; a secret is never kept.
  document.querySelectorAll("form[data-keep]").forEach(function (form) {
    var key = "typed:" + form.getAttribute("action");
    var fields = Array.prototype.filter.call(form.elements, function (field) {
      return field.name && ["hidden", "password", "submit", "file"].indexOf(field.type) < 0 && !("secret" in field.dataset);
    });
    var saved = window.location.search.indexOf("done=") >= 0 || form.querySelector("[aria-invalid]");
    var kept = saved ? null : JSON.parse(window.sessionStorage.getItem(key) || "null");
    var version = form.elements.version ? form.elements.version.value : "";
    if (kept && kept.version === version) {
      fields.forEach(function (field) {
        if (field.name in kept.typed) {
          field.value = kept.typed[field.name];
        }
      });
    }
    form.addEventListener("input", function () {
      var typed = {};
      fields.forEach(function (field) {
        typed[field.name] = field.value;
      });
      window.sessionStorage.setItem(key, JSON.stringify({ version: version, typed: typed }));
    });
  });

  var problem = document.getElementById("problem");
  if (problem) {
    problem.focus();
  }
})();
