"""The lean codec speaks what jupyter_client's Session speaks: each opens what the other makes."""

from __future__ import annotations

import hmac

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jupyter_client.session import Session

from modal_nb.protocol.codec import DELIMITER, FIXED_FRAMES, Codec, MessageRefused

KEY = b"0123456789abcdef0123456789abcdef"

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**53), 2**53)
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=10,
)
contents = st.dictionaries(st.text(), json_values, max_size=4)
buffers = st.lists(st.binary(max_size=64), max_size=3)


def session(packer: str) -> Session:
    made = Session(packer=packer, unpacker=packer, key=KEY, signature_scheme="hmac-sha256")
    made.digest_history_size = 0
    return made


@pytest.mark.parametrize("packer", ["json", "orjson"])
@given(content=contents, parts=buffers)
def test_session_opens_what_the_codec_packs(packer, content, parts):
    frames = [bytes(frame) for frame in Codec(KEY, "s1").pack("call_request", content, parts)]

    _, rest = (opened := session(packer)).feed_identities(frames)
    message = opened.deserialize(rest)

    assert message["content"] == content
    assert [bytes(buffer) for buffer in message["buffers"]] == parts
    assert message["header"]["msg_type"] == "call_request"
    assert message["header"]["session"] == "s1"


@pytest.mark.parametrize("packer", ["json", "orjson"])
@given(content=contents, parts=buffers)
def test_the_codec_opens_what_session_packs(packer, content, parts):
    theirs = session(packer)
    frames = [*theirs.serialize(theirs.msg("call_reply", content)), *parts]

    message = Codec(KEY, "s1").open(frames)

    assert message.content == content
    assert message.buffers == parts
    assert message.msg_type == "call_reply"


def test_the_parent_header_is_passed_on_as_it_came():
    codec = Codec(KEY, "s1")
    request = codec.open(codec.pack("call_request", {}))
    reply = codec.pack("call_reply", {}, parent=request.header)

    _, rest = (opened := session("json")).feed_identities([bytes(frame) for frame in reply])
    assert opened.deserialize(rest)["parent_header"]["msg_type"] == "call_request"


@pytest.mark.parametrize("position", range(FIXED_FRAMES))
def test_a_changed_byte_in_any_signed_frame_is_refused(position):
    frames = [bytearray(frame) for frame in Codec(KEY, "s1").pack("call_request", {"a": 1})]
    frames[position][0] ^= 1

    with pytest.raises(MessageRefused):
        Codec(KEY, "s1").open(frames)


def test_a_message_of_another_key_is_refused():
    with pytest.raises(MessageRefused, match="signature"):
        Codec(b"other", "s1").open(Codec(KEY, "s1").pack("call_request", {}))


def test_an_unsigned_message_is_refused():
    frames = Codec(KEY, "s1").pack("call_request", {})
    frames[1] = b""

    with pytest.raises(MessageRefused, match="signature"):
        Codec(KEY, "s1").open(frames)


def test_missing_frames_are_refused():
    with pytest.raises(MessageRefused, match="missing"):
        Codec(KEY, "s1").open([DELIMITER])


def test_an_empty_key_is_refused_because_it_would_mean_unsigned():
    with pytest.raises(ValueError, match="must not be empty"):
        Codec(b"", "s1")


def test_ids_of_messages_differ():
    codec = Codec(KEY, "s1")
    assert codec.pack("a", {})[2] != codec.pack("a", {})[2]


@given(key=st.binary(min_size=1, max_size=200), content=contents)
def test_signatures_are_those_of_hmac_whatever_the_length_of_the_key(key, content):
    _, signature, *signed = Codec(key, "s1").pack("call_request", content)

    assert signature == hmac.digest(key, b"".join(signed), "sha256").hex().encode()
