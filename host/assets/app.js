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

  var problem = document.getElementById("problem");
  if (problem) {
    problem.focus();
  }
})();
