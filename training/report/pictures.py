"""The report's photographs: overlays of true and predicted frames, and descriptor matches."""

import base64
from typing import Any

import cv2
import numpy as np

from dense_descriptor_ros.bop import MM, View
from dense_descriptor_ros.errors import DenseDescriptorError
from dense_descriptor_ros.frames import AffordanceFrame
from dense_descriptor_ros.geometry import project
from dense_descriptor_ros.training.evaluation import Evaluation
from dense_descriptor_ros.training.metrics.acf_metrics import OPERATING_SCORE
from dense_descriptor_ros.training.metrics.descriptor_metrics import Answer, Found
from dense_descriptor_ros.training.metrics.predictions import PredictedFrame
from dense_descriptor_ros.training.metrics.truth import TrueFrame
from dense_descriptor_ros.training.report.cases import Case
from dense_descriptor_ros.visualize import RGB, descriptors_to_rgb, draw_dot, draw_frames, side_by_side

TRUE_COLOUR: RGB = (60, 230, 90)
PREDICTED_COLOUR: RGB = (255, 70, 200)
CROP_PX = 220
SHOWN_MATCHES = 8


def jpeg_uri(rgb: np.ndarray) -> str:
    """Data URI of an image."""
    ok, encoded = cv2.imencode('.jpg', np.ascontiguousarray(rgb[..., ::-1]), [cv2.IMWRITE_JPEG_QUALITY, 85])
    if not ok:
        raise DenseDescriptorError(f'OpenCV cannot encode an image of shape {rgb.shape}')
    return 'data:image/jpeg;base64,' + base64.b64encode(encoded.tobytes()).decode()


def drawable(frame: TrueFrame | PredictedFrame) -> AffordanceFrame:
    """The frame as the visualisation takes it."""
    score = frame.score if isinstance(frame, PredictedFrame) else 1.0
    return AffordanceFrame('', frame.part, frame.instance, score, frame.origin_mm * MM, frame.axis)


def overlay(evaluation: Evaluation, view: View, part: str | None = None) -> np.ndarray:
    """The image with its required true frames and its predictions, of one part or of all."""
    key = (view.scene_id, view.im_id)
    truths = [f for f in evaluation.truth[key] if f.required and part in (None, f.part)]
    predicted = [
        f
        for f in evaluation.predictions.get(key, [])
        if f.score >= OPERATING_SCORE and part in (None, f.part)
    ]
    image = draw_frames(view.rgb(), [drawable(f) for f in truths], view.K, colour=TRUE_COLOUR)
    return draw_frames(
        image, [drawable(f) for f in predicted], view.K, axis_length_m=0.04, colour=PREDICTED_COLOUR
    )


def scene_picture(evaluation: Evaluation, view: View) -> str:
    """Overlay beside the descriptors' colours."""
    return jpeg_uri(
        side_by_side([overlay(evaluation, view), descriptors_to_rgb(evaluation.descriptors(view))])
    )


def case_picture(evaluation: Evaluation, case: Case) -> str:
    """The neighbourhood of a frame that went wrong, with the frames of its part."""
    view = evaluation.view(case.outcome.key)
    frame = case.outcome.truth or case.outcome.predicted
    centre = project(view.K, frame.origin_mm) if frame else np.zeros(2)
    return jpeg_uri(crop(overlay(evaluation, view, case.part), centre))


def crop(rgb: np.ndarray, centre: np.ndarray) -> np.ndarray:
    """A square around a pixel `uv` (2,), shifted to lie within the image."""
    left, top = crop_corner(rgb.shape[:2], centre)
    return rgb[top : top + CROP_PX, left : left + CROP_PX]


def crop_corner(image_size: tuple[int, ...], centre: np.ndarray) -> tuple[int, int]:
    """Upper left pixel (u, v) of a crop."""
    centre = np.nan_to_num(centre)
    left, top = (
        int(np.clip(centre[i] - CROP_PX / 2, 0, max(image_size[1 - i] - CROP_PX, 0))) for i in (0, 1)
    )
    return left, top


def match_picture(item: Answer[Any]) -> str:
    """Queries left; right a dot where each was found, joined to the ring where it should be."""
    found: Found = item.mask
    chosen = np.linspace(0, len(found.uv) - 1, SHOWN_MATCHES).astype(int)
    left, right = item.pair.a.view.rgb(), item.pair.b.view.rgb()
    for index, colour in zip(chosen, hues(SHOWN_MATCHES), strict=True):
        draw_dot(left, item.pair.uv_a[index], colour)
        true, guess = item.pair.uv_b[index], found.uv[index]
        ring = (round(float(true[0])), round(float(true[1])))
        cv2.line(right, ring, (int(guess[0]), int(guess[1])), colour, 1, cv2.LINE_AA)
        cv2.circle(right, ring, 5, colour, 1, cv2.LINE_AA)
        draw_dot(right, guess, colour)
    views = [crop(left, item.pair.uv_a.mean(0)), crop(right, item.pair.uv_b.mean(0))]
    return jpeg_uri(side_by_side(views))


def hues(count: int) -> list[RGB]:
    """Colours that are easy to tell apart."""
    hsv = np.array([[[180 * i // count, 220, 255] for i in range(count)]], np.uint8)
    return [(int(r), int(g), int(b)) for r, g, b in cv2.cvtColor(hsv, cv2.COLOR_HSV2RGB)[0]]
