"""Landmark files: readers by format, and the table of a data set's landmarks that they make (no torch)."""

from tagger.data.landmarks.base import LandmarkReader, Shape, ShapeList
from tagger.data.landmarks.coco_keypoints import CocoKeypointReader
from tagger.data.landmarks.dlib_xml import DlibReader
from tagger.data.landmarks.landmark_tables import LandmarkTableReader
from tagger.data.landmarks.mediapipe import MediaPipeReader
from tagger.data.landmarks.openface import OpenFaceReader
from tagger.data.landmarks.pts import PtsReader
from tagger.registry import Registry

landmark_readers = Registry("landmark reader")
landmark_readers.register("pts")(PtsReader)
landmark_readers.register("dlib")(DlibReader)
landmark_readers.register("openface")(OpenFaceReader)
landmark_readers.register("mediapipe")(MediaPipeReader)
landmark_readers.register("table")(LandmarkTableReader)
landmark_readers.register("coco")(CocoKeypointReader)

__all__ = ["LandmarkReader", "Shape", "ShapeList", "landmark_readers"]
