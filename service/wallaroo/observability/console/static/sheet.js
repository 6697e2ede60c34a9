// A sheet that comes in from the side: focus goes into it, and back to where it came from.

import { byId } from "./shown.js";

export class Sheet {
  constructor(id) {
    this.node = byId(id);
    this.title = byId(`${id}-title`);
    byId(`${id}-close`).addEventListener("click", () => this.close());
    document.addEventListener("keydown", (event) => {
      if (event.key === "Escape" && !document.querySelector("dialog[open]")) this.close();
    });
  }

  get isOpen() {
    return !this.node.hidden;
  }

  open() {
    for (const other of document.querySelectorAll(".panel:not([hidden])")) if (other !== this.node) other.querySelector("button.quiet").click();
    if (!this.isOpen) this.from = document.activeElement;
    this.node.hidden = false;
    this.node.scrollTop = 0;
    document.body.classList.add("has-panel");
    this.title.focus();
  }

  close() {
    if (!this.isOpen) return;
    this.node.hidden = true;
    document.body.classList.remove("has-panel");
    this.from?.focus?.();
  }
}
