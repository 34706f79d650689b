"""The table and the line: pinned, and inert whatever the names in them are."""

from __future__ import annotations

import unicodedata
from html.parser import HTMLParser

import pytest

from modal_nb.views import render
from modal_nb.views.pool_model import PoolModel
from tests.views.hostile import STRINGS
from tests.views.reports import container, report

ALLOWED = {"div", "p", "strong", "bdi", "br", "table", "thead", "tbody", "tr", "th", "td"}


def state(*reports, connection="connected", message=""):
    model = PoolModel()
    model.replace(connection, message, {one["pool"]: one for one in reports})
    return model.state()


class Reader(HTMLParser):
    """What a browser would make of it: tags, attributes, texts."""

    def __init__(self, page):
        super().__init__(convert_charrefs=True)
        self.tags, self.attributes, self.texts, self.open = [], [], [], []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        self.attributes += attributes
        if tag != "br":
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.texts.append(data)

    def handle_comment(self, data):
        raise AssertionError(f"a comment: {data}")


def test_there_are_sixty_hostile_strings():
    assert len(set(STRINGS)) == 60


@pytest.mark.parametrize("hostile", STRINGS, ids=range(len(STRINGS)))
def test_a_hostile_string_is_text_everywhere(hostile):
    one = container(hostile, cause=hostile, reason=hostile, phase=hostile, state=hostile)
    pool = report(
        app={"id": hostile, "name": hostile},
        service=hostile,
        parameters=hostile,
        variant=hostile,
        state=hostile,
        why=hostile,
        batching=[{"method": hostile, "max_batch_size": 2, "wait_ms": 0}] * 2,
        containers=[one],
    )
    page = render.page(hostile, state(pool, connection="lost", message=hostile))
    read = Reader(page)
    assert set(read.tags) <= ALLOWED
    assert read.open == []
    assert read.attributes == [("class", "tex2jax_ignore mathjax_ignore")]
    # in a place of its own it is there as it was, but for what cannot be seen and what is too long
    assert render.plain(hostile) in read.texts
    assert all(len(text) <= 620 for text in read.texts)
    assert_visible(page)
    assert "$" not in page
    assert "`" not in page


@pytest.mark.parametrize("hostile", STRINGS, ids=range(len(STRINGS)))
def test_the_line_is_one_line_of_visible_letters(hostile):
    line = render.text(hostile)
    assert len(line.splitlines()) == 1
    assert len(line) < 230
    assert_visible(line)


def assert_visible(text):
    hidden = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
    assert not [letter for letter in text if unicodedata.category(letter) in hidden]


def test_surrogates_and_private_letters_can_be_written_to_a_file():
    assert render.text("\ud800\ue000").encode() == b"<panel of \\ud800\\ue000>"


def test_the_table_is_as_it_is():
    busy = container("ct-7-abcdef", state="busy", running=2, slots=4, memory=None, cpu=None, served=1000)
    dead = container("ct-4-abcdef", state="dead", memory=None, cpu=None, cause="killed by signal 9 (SIGKILL)")
    pool = report(
        queued=3, running=2, why="3 queued, at max_containers=2", containers=[dead, container(), busy]
    )
    assert render.page("Forest(trees=200) of app 'digits'", state(pool)) == PINNED.replace("\n", "")


PINNED = """\
<div class="tex2jax_ignore mathjax_ignore">
<p>
<strong>
<bdi>Forest(trees=200) of app &#x27;digits&#x27;</bdi>
</strong>
</p>
<p>
<strong>
<bdi>Forest · trees=200</bdi>
</strong> <bdi>running</bdi>
<br>
<bdi>3 queued, 2 running; min_containers=0, max_containers=no limit, buffer_containers=0, scaledown_window=60</bdi>
<br>
<bdi>3 queued, at max_containers=2</bdi>
</p>
<table>
<thead>
<tr>
<th>
<bdi>container</bdi>
</th>
<th>
<bdi>state</bdi>
</th>
<th>
<bdi>inputs served</bdi>
</th>
<th>
<bdi>memory</bdi>
</th>
<th>
<bdi>CPU</bdi>
</th>
<th>
<bdi>what happened</bdi>
</th>
</tr>
</thead>
<tbody>
<tr>
<td>
<bdi>ct-4-abcdef</bdi>
</td>
<td>
<bdi>dead</bdi>
</td>
<td>
<bdi>3</bdi>
</td>
<td>
<bdi></bdi>
</td>
<td>
<bdi></bdi>
</td>
<td>
<bdi>killed by signal 9 (SIGKILL)</bdi>
</td>
</tr>
<tr>
<td>
<bdi>ct-5-abcdef</bdi>
</td>
<td>
<bdi>idle</bdi>
</td>
<td>
<bdi>3</bdi>
</td>
<td>
<bdi>24 MiB</bdi>
</td>
<td>
<bdi>0.50 cores</bdi>
</td>
<td>
<bdi></bdi>
</td>
</tr>
<tr>
<td>
<bdi>ct-7-abcdef</bdi>
</td>
<td>
<bdi>busy 2 of 4</bdi>
</td>
<td>
<bdi>1000</bdi>
</td>
<td>
<bdi></bdi>
</td>
<td>
<bdi></bdi>
</td>
<td>
<bdi></bdi>
</td>
</tr>
</tbody>
</table>
</div>"""


def test_how_inputs_run_is_one_more_line_where_it_is_not_as_everywhere():
    pool = report(
        concurrency={"max_inputs": 8, "target_inputs": 6},
        batching=[{"method": "<b>", "max_batch_size": 4, "wait_ms": 10}] * 2,
        back_off={"seconds": 4.0, "until": 23.5},
    )
    line = render.page("x", state(pool)).split("<br>")[-1]
    assert line == (
        "<bdi>up to 8 inputs or batches at a time per container, aims at 6</bdi>; "
        "<bdi>batches of &lt;b&gt;: up to 4, waiting at most 10 ms</bdi>; "
        "<bdi>batches of &lt;b&gt;: up to 4, waiting at most 10 ms</bdi>; "
        "<bdi>starts are held back after failures: next try in 4 s</bdi></p></div>"
    )
    assert "batches" not in render.text("x")


def app(**fields):
    known = {
        "id": "ap-2-abcdef",
        "name": "digits",
        "origin": "deployed in main, version 3",
        "classes": ["Forest"],
    }
    return {**known, **fields}


def test_pools_stand_below_their_apps():
    model = PoolModel()
    pools = {3: report(3, version=2), 4: report(4, app={"id": "ap-9", "name": "x"}, service="Other")}
    model.replace("connected", "", pools, [app(id="ap-1", name="bare", classes=["A", "B"]), app()])
    texts = [text for text in Reader(render.page("everything", model.state())).texts if text.strip()]
    heads = [text for text in texts if text.startswith(("app ", "deployed", "; no pool", "Forest", "Other"))]
    assert heads == [
        "app bare",
        "deployed in main, version 3",
        "; no pool yet of A, B",
        "app digits",
        "deployed in main, version 3",
        "Forest · trees=200 · version 2",
        "Other · trees=200",
    ]


@pytest.mark.parametrize("hostile", STRINGS, ids=range(len(STRINGS)))
def test_a_hostile_name_of_an_app_is_text(hostile):
    model = PoolModel()
    model.replace("connected", hostile, {}, [app(name=hostile, origin=hostile, classes=[hostile])])
    read = Reader(render.page("x", model.state()))
    assert set(read.tags) <= ALLOWED
    assert render.plain(f"app {hostile}") in read.texts
    assert render.plain(hostile) in read.texts


def test_an_empty_panel_says_so_and_a_disconnected_one_says_why():
    assert "no container yet" in render.page("x", state())
    assert "it is gone" in render.page("x", state(report(), connection="lost", message="it is gone"))


def test_a_container_that_somebody_looks_into_says_so():
    aside = container("ct-4-abcdef", state="busy", running=1, pinned=1, aside=15.0)
    taken = container("ct-5-abcdef", state="busy", running=1, pinned=1)
    texts = Reader(render.page("Forest", state(report(containers=[aside, taken])))).texts
    assert "aside: somebody looks inside" in texts
    assert "taken by who looks inside" in texts
