// What is left: the button that copies the command.
"use strict";

(() => {
  const button = document.getElementById("copy");
  const command = document.getElementById("command");
  const say = (word) => {
    button.textContent = word;
    setTimeout(() => (button.textContent = "Copy"), 2000);
  };
  button.addEventListener("click", async () => {
    try {
      await navigator.clipboard.writeText(command.textContent);
      say("Copied");
    } catch {
      // without a clipboard (an old browser, a page opened from a file): select it for the user
      getSelection().selectAllChildren(command);
      say("Press Ctrl-C");
    }
  });
})();
