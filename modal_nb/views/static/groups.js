// Pools by app, where it is not plain whose they are: deployed apps, and everything that a supervisor runs.
import { arrange, element, newId, setAttribute, setText, showText } from "./elements.js";

/** One app: its name, where it comes from, and the place of its pools. */
class Group {
  constructor() {
    const id = newId("group");
    this.name = element("bdi", { class: "mnb-group-name" });
    this.origin = element("bdi", { class: "mnb-group-origin" });
    this.bare = element("p", { class: "mnb-group-bare" });
    this.pools = element("div", { class: "mnb-pools" });
    const title = element("div", { role: "heading", "aria-level": 2, class: "mnb-group-head", id }, this.name, this.origin);
    this.element = element("section", { class: "mnb-group", "aria-labelledby": id }, title, this.bare, this.pools);
  }

  update(app, cards) {
    showText(this.name, app.name, 60);
    showText(this.origin, app.origin, 80);
    setAttribute(this.element, "data-deployed", app.version > 0);
    const classes = app.classes.length ? `No pool yet of ${app.classes.join(", ")}: one opens with the first call.` : "No pool yet.";
    setText(this.bare, "");
    if (!cards.length) showText(this.bare, classes, 300);
    setAttribute(this.bare, "hidden", cards.length > 0);
    arrange(this.pools, cards);
  }
}

/** The places of all cards. Without apps they stand in one row, as they always did. */
export class Groups {
  constructor() {
    this.groups = new Map();
    this.rest = element("div", { class: "mnb-pools" });
    this.element = element("div", { class: "mnb-groups" }, this.rest);
  }

  /** `cards`: those of the pools in their order, as `[app id, element]`. */
  update(apps, cards) {
    const known = new Set(apps.map((app) => app.id));
    for (const id of this.groups.keys()) if (!known.has(id)) this.groups.delete(id);
    for (const app of apps) {
      if (!this.groups.has(app.id)) this.groups.set(app.id, new Group());
      this.groups.get(app.id).update(app, cards.filter(([id]) => id === app.id).map(([, card]) => card));
    }
    arrange(this.rest, cards.filter(([id]) => !known.has(id)).map(([, card]) => card));
    arrange(this.element, [...apps.map((app) => this.groups.get(app.id).element), this.rest]);
  }
}
