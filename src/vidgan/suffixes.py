"""Which files of a folder are taken for videos, and which for photos: by their names. What they are is seen later."""

VIDEO_SUFFIXES = {
    ".mp4", ".m4v", ".mov", ".qt", ".3gp", ".3g2", ".mkv", ".webm", ".avi", ".divx", ".ts", ".mts", ".m2ts", ".mpg",
    ".mpeg", ".vob", ".flv", ".f4v", ".wmv", ".asf", ".ogv", ".ogg", ".ivf", ".mxf", ".nut", ".dv", ".y4m",
}  # fmt: skip
PHOTO_SUFFIXES = {".jpg", ".jpeg", ".png", ".webp"}
