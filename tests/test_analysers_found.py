"""What the analysers find, against pictures whose content is known and against OpenCV called directly."""

import numpy as np
import pytest

from footage import moving, nature
from vidgan import shelf
from vidgan.video import decode_all

cv2 = pytest.importorskip("cv2")


def load(name: str):
    return shelf.take("vidgan.analysers", name).load()


def on_white(picture: np.ndarray, x: int, y: int, height: int = 300, width: int = 400) -> np.ndarray:
    page = np.full((height, width, 3), 255, np.uint8)
    page[y : y + len(picture), x : x + picture.shape[1]] = picture
    return page


def qr(words: str, *, pixel: int = 5) -> np.ndarray:
    small = cv2.QRCodeEncoder.create().encode(words)
    return small.repeat(pixel, 0).repeat(pixel, 1)[..., None].repeat(3, 2)


def ean13(digits: str, *, bar: int = 2, height: int = 160) -> np.ndarray:
    """Source: the GS1 General Specifications, tables of number sets A, B, C."""
    a = [
        "0001101",
        "0011001",
        "0010011",
        "0111101",
        "0100011",
        "0110001",
        "0101111",
        "0111011",
        "0110111",
        "0001011",
    ]
    c = ["".join("10"[int(bit)] for bit in code) for code in a]
    b = [code[::-1] for code in c]
    first = [
        "AAAAAA",
        "AABABB",
        "AABBAB",
        "AABBBA",
        "ABAABB",
        "ABBAAB",
        "ABBBAA",
        "ABABAB",
        "ABABBA",
        "ABBABA",
    ]
    left = "".join(
        {"A": a, "B": b}[kind][int(digit)]
        for kind, digit in zip(first[int(digits[0])], digits[1:7], strict=True)
    )
    bits = f"101{left}01010{''.join(c[int(digit)] for digit in digits[7:])}101"
    line = np.array([255 * (bit == "0") for bit in bits], np.uint8).repeat(bar)
    return np.broadcast_to(line[None, :, None], (height, len(line), 3))


def test_a_qr_code_is_read_where_it_stands():
    code = qr("vidgan 2026")
    (found,) = load("codes")(on_white(code, 100, 60))
    assert found.label == "vidgan 2026"
    quiet = 4 * 5  # the encoder's white margin, pixels
    inside = np.array([100 + quiet, 60 + quiet, 100 + len(code) - quiet, 60 + len(code) - quiet])
    assert np.abs(np.array(found.box) - inside).max() <= 15


def test_a_qr_code_in_shift_jis_is_seen(monkeypatch):
    """Its bytes are no UTF-8, and OpenCV's reader of text raises."""
    cv2 = pytest.importorskip("cv2")
    parameters = cv2.QRCodeEncoder_Params()
    parameters.mode = cv2.QRCodeEncoder_MODE_KANJI
    code = cv2.QRCodeEncoder.create(parameters).encode("日本語の動画".encode("shift_jis"))
    large = np.repeat(np.repeat(code, 6, 0), 6, 1)
    (found,) = load("codes")(on_white(np.broadcast_to(large[..., None], (*large.shape, 3)), 60, 60))
    assert found.label


def test_a_bar_code_is_read_and_a_blurred_one_is_not_seen():
    page = on_white(ean13("4006381333931"), 50, 60)
    (found,) = load("codes")(page)
    assert found.label == "4006381333931"
    assert load("codes")(cv2.GaussianBlur(page, (0, 0), 8)) == []


def test_written_words_are_read_where_they_stand():
    pytest.importorskip("rapidocr")
    pytest.importorskip("onnxruntime")
    page = np.full((200, 480, 3), 255, np.uint8)
    cv2.putText(page, "PLATFORM", (40, 110), cv2.FONT_HERSHEY_SIMPLEX, 1.8, (0, 0, 0), 4)
    (found,) = load("text")(page)
    assert found.label == "PLATFORM"
    ys, xs = np.nonzero(page[..., 0] < 128)
    assert (
        np.abs(np.array(found.box) - [xs.min(), ys.min(), xs.max(), ys.max()]).max() < 42
    )  # a letter's height


def test_cuts_are_seen_where_they_are_and_the_first_frame_is_none():
    look = load("shots")
    frames = [nature(1)] * 3 + [nature(2)] * 3
    found = [look(pixels) for pixels in frames]
    assert [len(each) for each in found] == [0, 0, 0, 1, 0, 0]
    assert found[3][0].box == (0, 0, 320, 240)


def test_a_pan_is_followed_and_noise_is_not():
    look = load("tracking")
    values = [look(pixels) for pixels in moving(1, 4)]
    assert np.isnan(values[0]) and min(values[1:]) > 0.6
    noise = np.random.default_rng(0).integers(100, 156, (4, 240, 320, 3), dtype=np.uint8)
    look = load("tracking")
    assert np.nanmax([look(pixels) for pixels in noise]) < 0.05


def test_nothing_is_followed_across_a_cut():
    look = load("tracking")
    values = [look(pixels) for pixels in [nature(1), nature(1), nature(2), nature(2)]]
    assert np.isnan(values).tolist() == [True, False, True, False]


@pytest.mark.shared
def test_people_and_faces_are_those_that_opencv_finds(shared):
    pixels = decode_all(shared / "data" / "val" / "dance-twirl.mp4", limit=1)[0]
    hog = cv2.HOGDescriptor()
    hog.setSVMDetector(cv2.HOGDescriptor_getDefaultPeopleDetector())
    boxes, weights = hog.detectMultiScale(
        cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), winStride=(8, 8), scale=1.05
    )
    expected = [
        [x, y, x + w, y + h] for (x, y, w, h), weight in zip(boxes, weights, strict=True) if weight >= 0.5
    ]
    assert expected and [list(found.box) for found in load("people")(pixels)] == expected
    cascade = cv2.CascadeClassifier(cv2.data.haarcascades + "haarcascade_frontalface_default.xml")
    boxes = cascade.detectMultiScale(cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY), 1.1, 5)
    expected = [[x, y, x + w, y + h] for x, y, w, h in boxes]
    assert expected and [list(found.box) for found in load("faces")(pixels)] == expected
