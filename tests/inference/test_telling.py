"""What is printed, to any stream."""

import io

import pytest

from wm_lightning.inference.telling import LastingStream, console, readable, say


@pytest.mark.parametrize(
    ("name", "shown"),
    [
        ("photo é 水 🌅.jpg", "photo é 水 🌅.jpg"),
        ("two\nlines.jpg", r"two\nlines.jpg"),
        ("\x1b[31mred\r.jpg", r"\x1b[31mred\r.jpg"),
        ("caf\udce9.jpg", r"caf\xe9.jpg"),
        ("turned \u202e.jpg", r"turned \u202e.jpg"),
    ],
)
def test_names_are_one_line_that_can_be_read(name, shown):
    assert readable(name) == shown


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8"])
def test_letters_without_a_code_become_escapes(encoding):
    raw = io.BytesIO()
    stream = io.TextIOWrapper(raw, encoding, errors="strict")
    say(console(stream), "é 水 \udce9 [red]:star:.jpg")
    shown = raw.getvalue().decode(encoding)
    assert shown.endswith(" [red]:star:.jpg\n")
    assert shown.startswith({"ascii": r"\xe9 \u6c34 \xe9", "cp1252": r"é \u6c34 \xe9", "utf-8": r"é 水 \xe9"}[encoding])


def test_a_stream_without_a_reader_is_given_up(tmp_path):
    class Full(io.TextIOWrapper):
        def flush(self):
            raise BrokenPipeError

    with (tmp_path / "there").open("wb") as file:
        stream = LastingStream(Full(file, "utf-8"))
        stream.write("lost")
        stream.flush()
        assert stream.write("also lost") == 9
        file.write(b"to nowhere")
        file.flush()
    assert (tmp_path / "there").read_bytes() == b""


def test_what_could_not_be_written_is_known_unless_nobody_reads_any_more(tmp_path):
    for error, told in ((OSError(28, "No space left on device"), "No space left on device"), (BrokenPipeError(), None)):

        class Full(io.TextIOWrapper):
            def flush(self, error=error):
                raise error

        with (tmp_path / "there").open("wb") as file:
            stream = LastingStream(Full(file, "utf-8"))
            assert stream.failure is None
            stream.flush()
            assert stream.failure == told


def test_a_stream_that_is_not_there_takes_all():
    say(console(None), "nobody hears it")
