"""Makes a folder of text files, the same for the same arguments: words of a made-up language with the frequencies of a real one.

    corpus.py DIR FILES MEGABYTES

Word n comes with a frequency of 1/(n+2.7) (Zipf-Mandelbrot), out of 50,000 words; a file has a title, headings and paragraphs.
"""

import bisect
import itertools
import pathlib
import random
import sys

VOCABULARY = 50_000
PARAGRAPH_WORDS = 90
SECTION_PARAGRAPHS = 5


def vocabulary(chance):
    syllables = [c + v for c in "bdfgklmnprstvz" for v in "aeiou"] + ["an", "er", "or", "is", "un", "al"]
    words = {}
    while len(words) < VOCABULARY:
        words["".join(chance.choices(syllables, k=chance.choice((1, 2, 2, 3, 3, 3, 4))))] = None
    return list(words)


def main(folder, files, megabytes):
    chance = random.Random(1984)
    words = vocabulary(chance)
    weights = list(itertools.accumulate(1 / (n + 2.7) for n in range(len(words))))
    # One long run of words, cut into files at random offsets: drawing each word of 300 MB anew would take minutes.
    drawn = [words[bisect.bisect(weights, chance.random() * weights[-1])] for _ in range(2_000_000)]
    folder = pathlib.Path(folder)
    size = int(megabytes * 1_000_000 / files)
    for number in range(files):
        path = folder / f"part-{number % 40:02}" / f"paper-{number:05}.md"
        path.parent.mkdir(parents=True, exist_ok=True)
        text = [f"# {' '.join(chance.sample(words, 4))}\n"]
        written = len(text[0])
        while written < size:
            if (len(text) - 1) % (SECTION_PARAGRAPHS + 1) == 0:
                part = f"\n## {' '.join(chance.sample(words[:20_000], 3))}\n"
            else:
                at = chance.randrange(len(drawn) - PARAGRAPH_WORDS)
                part = "\n" + " ".join(drawn[at : at + PARAGRAPH_WORDS]) + ".\n"
            text.append(part)
            written += len(part)
        path.write_text("".join(text))
    # Words to ask for: common, middling and rare ones, alone and together.
    asked = [" ".join(words[chance.randrange(low, high)] for _ in range(count)) for low, high, count in
             [(50, 500, 1), (500, 5_000, 1), (5_000, 50_000, 1), (50, 5_000, 2), (50, 20_000, 3)] * 40]
    (folder.parent / f"{folder.name}.queries").write_text("\n".join(asked) + "\n")


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]), float(sys.argv[3]))
