"""The agreement between a generator and its reader, with both ends at one table."""

from __future__ import annotations

import random

import pytest

from modal_nb.runtime.window import MOST_BYTES, MOST_ITEMS, ReaderWindow, WriterWindow

MIB = 1024 * 1024


def fill(writer, size, most=10_000):
    """Write until there is no room; how many items it were."""
    count = 0
    while writer.has_room() and count < most:
        writer.wrote(size)
        count += 1
    return count


def test_a_writer_is_at_most_64_items_ahead():
    assert fill(WriterWindow(), 100) == MOST_ITEMS


def test_a_writer_begins_no_item_with_4_mib_unread():
    assert fill(WriterWindow(), MIB) == 4
    assert fill(WriterWindow(), MIB + MIB // 2) == 3
    assert fill(WriterWindow(), 100 * MIB) == 1


def test_the_reader_gives_word_when_it_has_read_half_of_the_items():
    reader = ReaderWindow()
    words = [reader.took(100) for _ in range(100)]
    assert [(number, word) for number, word in enumerate(words, 1) if word] == [
        (32, 96),
        (64, 128),
        (96, 160),
    ]


def test_the_reader_gives_word_when_it_has_read_half_of_the_bytes():
    reader = ReaderWindow()
    assert [reader.took(MIB) for _ in range(4)] == [None, 66, None, 68]
    assert reader.took(MOST_BYTES) == 69


def test_a_word_may_come_twice_or_late():
    writer = WriterWindow()
    fill(writer, 10)
    for word in (96, 96, 66):
        writer.allow(word)
    assert (fill(writer, 10), writer.read) == (32, 32)


def test_what_the_reader_has_already_takes_no_room():
    writer = WriterWindow()
    writer.allow(1000 + MOST_ITEMS)
    for _ in range(1000):
        assert writer.has_room()
        writer.wrote(0)
    assert writer.sent == writer.read == 1000
    assert fill(writer, MIB) == 4


@pytest.mark.parametrize("seed", range(20))
def test_they_never_wait_for_each_other(seed):
    dice = random.Random(seed)
    writer, reader, line = WriterWindow(), ReaderWindow(), []
    for _ in range(5000):
        while writer.has_room() and dice.random() < 0.8:
            size = dice.choice([1, 1, 100, MIB, 5 * MIB])
            writer.wrote(size)
            line.append(size)
        assert len(line) <= MOST_ITEMS
        assert sum(line[:-1]) < MOST_BYTES
        if line:
            word = reader.took(line.pop(0))
            if word:
                writer.allow(word)
        else:
            assert writer.has_room(), "the reader has all and the writer waits"


@pytest.mark.parametrize("seed", range(10))
def test_a_writer_that_begins_again_comes_to_where_its_reader_is(seed):
    """Its items are larger than the first time: the reader's own count of bytes does not fit, its word does."""
    dice = random.Random(seed)
    reader = ReaderWindow()
    word = MOST_ITEMS
    for _ in range(dice.randrange(500)):
        word = reader.took(10) or word
    writer = WriterWindow()
    writer.allow(word)
    while writer.sent < reader.read:
        while writer.has_room() and writer.sent < reader.read:
            writer.wrote(0 if writer.sent < writer.read else 5 * MIB)
        if writer.sent < reader.read:
            writer.allow(reader.renew())
    assert writer.sent == reader.read
