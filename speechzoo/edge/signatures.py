"""The names of the signatures of an exported `.tflite` file, shared by the exporter and by whatever reads the file.

Files and the kits in `export/` hold these names, so they never change. What each takes and gives: docs/learning.md, and
`speechzoo.exporters.tflite.export_tflite`.
"""

RECOGNIZE = "recognize"
STREAM_STEP = "stream_step"
# `edge/decode_step.py` and `exporters/signatures/decode_step.py`
DECODE_STEP = "decode_step"
# One head alone, without the layers behind the block that it reads.
KEYWORD = "keyword"
EMBED = "embed"

# `edge/custom_words.py` and `exporters/signatures/custom_words.py`
WORDS_EMBED = "embed_word"
WORDS_LEARN = "learn"
WORDS_INFER = "infer_custom"
WORDS_SAVE = "save"
WORDS_RESTORE = "restore"
CUSTOM_WORDS = (WORDS_EMBED, WORDS_LEARN, WORDS_INFER, WORDS_SAVE, WORDS_RESTORE)

# `edge/owner.py` and `exporters/signatures/owner.py`
OWNER_FRAMES = "adapt_frames"
OWNER_ADAPT = "adapt"
OWNER_SAVE = "save_affine"
OWNER_RESTORE = "restore_affine"
OWNER = (OWNER_FRAMES, OWNER_ADAPT, OWNER_SAVE, OWNER_RESTORE)
