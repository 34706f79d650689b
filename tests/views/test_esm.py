"""The panel's files become one ES module."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from modal_nb.views import esm

FILES = {
    "panel.js": 'import { shout, TWICE as times } from "./words.js";\n'
    'import { Box } from "./box.js";\n'
    "const hidden = 3;\n"
    'export default { value: shout("a") + times + new Box().size() + hidden };\n',
    "words.js": "const hidden = 1;\n"
    "export const TWICE = 2;\n"
    'export function shout(text) { return text + "!" + hidden; }\n',
    "box.js": 'import { TWICE } from "./words.js";\nexport class Box { size() { return hidden + TWICE; } }\n'
    "let hidden = 40;\n",
}


def test_private_names_of_two_files_do_not_meet(tmp_path):
    node = shutil.which("node")
    if node is None:
        pytest.skip("no node here: the browser tests run the module")
    module = tmp_path / "module.mjs"
    module.write_text(esm.joined("panel.js", FILES.__getitem__), encoding="utf-8")
    code = f"import m from {str(module)!r}; console.log(m.value)"
    done = subprocess.run(
        [node, "--input-type=module", "-e", code], capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "a!12423"


def test_every_file_is_in_it_once_before_those_that_need_it():
    joined = esm.joined("panel.js", FILES.__getitem__)
    assert [line[3:] for line in joined.splitlines() if line.startswith("// ")] == [
        "words.js",
        "box.js",
        "panel.js",
    ]
    assert joined.count("export ") == 1


@pytest.mark.parametrize(
    "line",
    [
        'import words from "./words.js";',
        'import "./words.js";',
        'import { a } from "elsewhere";',
        'import {\n  a } from "./words.js"; more();',
        "export { a };",
        'export * from "./words.js";',
    ],
)
def test_a_form_that_cannot_be_joined_is_named(line):
    with pytest.raises(ValueError, match=r"panel.js: cannot be joined"):
        esm.joined("panel.js", {"panel.js": line, "words.js": ""}.__getitem__)


def test_only_the_entry_has_a_default_export():
    files = {
        "panel.js": 'import { a } from "./words.js";\n',
        "words.js": "export const a = 1;\nexport default a;\n",
    }
    with pytest.raises(ValueError, match=r"words.js: cannot be joined: export default"):
        esm.joined("panel.js", files.__getitem__)


def test_imports_in_a_circle_are_named():
    files = {"a.js": 'import { b } from "./b.js";', "b.js": 'import { a } from "./a.js";'}
    with pytest.raises(ValueError, match=r"a.js -> b.js -> a.js: imports in a circle"):
        esm.joined("a.js", files.__getitem__)


def test_the_panel_is_one_module_that_loads_nothing():
    module = esm.module()
    assert module.count("export default") == 1
    assert not [line for line in module.splitlines() if line.startswith(("import ", "export {"))]
    for address in ("http://", "https://", "//cdn"):
        assert address not in module.replace("http://www.w3.org/2000/svg", "")
    assert "@import" not in esm.style()
    assert "url(" not in esm.style()
