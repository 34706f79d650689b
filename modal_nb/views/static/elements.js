// The only way this panel makes and changes elements: text stays text, and nothing is touched that did not change.
import { cut } from "./words.js";

const DRAWING = "http://www.w3.org/2000/svg";
let made = 0;

function furnished(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) setAttribute(node, name, value);
  node.append(...children);
  return node;
}

export function element(tag, attributes = {}, ...children) {
  return furnished(document.createElement(tag), attributes, children);
}

export function drawing(tag, attributes = {}, ...children) {
  return furnished(document.createElementNS(DRAWING, tag), attributes, children);
}

/** An id that no other panel of the page has. */
export function newId(stem) {
  made += 1;
  return `mnb-${stem}-${made}-${Math.random().toString(36).slice(2, 8)}`;
}

export function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** null or false takes the attribute away. */
export function setAttribute(node, name, value) {
  if (value === null || value === false) {
    if (node.hasAttribute(name)) node.removeAttribute(name);
    return;
  }
  const text = value === true ? "" : String(value);
  if (node.getAttribute(name) !== text) node.setAttribute(name, text);
}

/** Text from outside: nothing hidden, cut to `limit`, whole (nearly) in the title. */
export function showText(node, value, limit) {
  const { text, whole } = cut(value, limit);
  setText(node, text);
  setAttribute(node, "title", whole ? null : cut(value, 1000).text);
}

/** Put `nodes` into `parent` in this order, moving as few as possible; others leave. */
export function arrange(parent, nodes) {
  const wanted = new Set(nodes);
  for (const child of [...parent.children]) if (!wanted.has(child)) child.remove();
  let place = parent.firstElementChild;
  for (const node of nodes) {
    if (node === place) place = place.nextElementSibling;
    else parent.insertBefore(node, place);
  }
}

/** A button that stays focusable while it cannot act: aria-disabled, and `act` is not called. */
export function button(label, attributes, act) {
  const node = element("button", { type: "button", ...attributes }, label);
  node.addEventListener("click", () => {
    if (node.getAttribute("aria-disabled") !== "true") act();
  });
  return node;
}

export function setOff(node, off) {
  setAttribute(node, "aria-disabled", off ? "true" : null);
}

/** A state as a shape: told apart without colour. */
const SHAPES = {
  starting: [["circle", { cx: 6, cy: 6, r: 4.25, class: "mnb-line mnb-dashes" }]],
  entering: [
    ["circle", { cx: 6, cy: 6, r: 4.25, class: "mnb-line" }],
    ["path", { d: "M6 1.75a4.25 4.25 0 0 1 0 8.5z", class: "mnb-fill" }],
  ],
  idle: [["circle", { cx: 6, cy: 6, r: 4.25, class: "mnb-line" }]],
  busy: [["circle", { cx: 6, cy: 6, r: 5, class: "mnb-fill" }]],
  draining: [["path", { d: "M1 2.5h10L6 10.5z", class: "mnb-fill" }]],
  dead: [["path", { d: "M2.5 2.5l7 7m0-7l-7 7", class: "mnb-line mnb-thick" }]],
  running: [["circle", { cx: 6, cy: 6, r: 4, class: "mnb-fill" }]],
  retired: [["path", { d: "M6 2a4 4 0 0 1 0 8z", class: "mnb-fill" }], ["circle", { cx: 6, cy: 6, r: 4, class: "mnb-line" }]],
  gone: [["path", { d: "M2 6h8", class: "mnb-line mnb-thick" }]],
};

export function glyph() {
  return drawing("svg", { class: "mnb-glyph", viewBox: "0 0 12 12", "aria-hidden": "true", focusable: "false" });
}

export function setGlyph(node, state) {
  if (node.getAttribute("data-state") === state) return;
  setAttribute(node, "data-state", state);
  node.replaceChildren(...(SHAPES[state] ?? []).map(([tag, attributes]) => drawing(tag, attributes)));
}
