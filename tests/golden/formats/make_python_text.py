"""Texts as Python prints them in lists, in JSON and in CSV: python_text.json."""
import csv
import io
import json

texts = [
    "NA", "", "Bob's Clamp", 'Tape, 1.88" x 35 yd', "both ' and \"", "back\\slash", "tab\tline\nreturn\r",
    "é ü ñ", "漢字", "😀", "soft\u00adhyphen", "no-break\u00a0space", "zero\u200bwidth", "line\u2028separator",
    "\x00\x1f\x7f\x85", "ideographic\u3000space", "private\ue000use", "bom\ufeff", "tag\U000e0001",
    "combining e\u0301", "مرحبا",
]
line = io.StringIO()
csv.writer(line, lineterminator="\n").writerow(texts)
golden = {
    "texts": texts,
    "list": repr(texts),
    "json": json.dumps(texts),
    "csv": line.getvalue(),
}
with open("python_text.json", "w", encoding="ascii") as file:
    json.dump(golden, file, indent=1)
    file.write("\n")
