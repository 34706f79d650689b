// Shows the panel without Python: ?scene=busy|still|empty|idle|loading|lost|ended|asleep|error|pending|modes|held|several|fifty|hostile|app|deployed|absent|everything
// &theme=light|dark|none
import panel from "../modal_nb/views/static/panel.js";
import { FakeModel, Simulation } from "./simulation.js";
import { SCENES } from "./scenes.js";

const asked = new URLSearchParams(location.search);
const theme = asked.get("theme") ?? "light";
if (theme !== "none") document.body.dataset.jpThemeLight = String(theme === "light");

const scene = (SCENES[asked.get("scene")] ?? SCENES.busy)();
const model = new FakeModel(structuredClone(scene.report));
if (!scene.silent) {
  const simulation = new Simulation(model, scene.report.pools[0], scene.options);
  simulation.report = () => scene.report;
  if (scene.live) simulation.run();
}
panel.render({ model, el: document.getElementById("place") });
Object.assign(globalThis, { model });
