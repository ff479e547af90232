"""How much does a board move between winter and summer?

Rowan's rule of thumb as a small program. Widths in millimetres, moisture in per cent of the dry weight.

    python3 wood_movement.py oak 240 7 12
"""

import sys

# Change of width for one per cent of moisture, as a share of the width: tangential and radial.
MOVEMENT = {
    "ash": (0.0032, 0.0021),
    "beech": (0.0041, 0.0020),
    "larch": (0.0030, 0.0014),
    "oak": (0.0036, 0.0016),
    "walnut": (0.0027, 0.0018),
}

# Above this the fibres are full, and wood moves no more.
FIBRE_SATURATION = 28.0


def movement(species: str, width_mm: float, dry: float, damp: float) -> tuple[float, float]:
    """Returns the change of width of a flat-sawn and of a quarter-sawn board, in millimetres."""
    tangential, radial = MOVEMENT[species]
    change = min(damp, FIBRE_SATURATION) - min(dry, FIBRE_SATURATION)
    return width_mm * tangential * change, width_mm * radial * change


def gap_for_panel(species: str, width_mm: float) -> float:
    """The play that a framed panel needs on each side when it is fitted in a heated room in winter."""
    flat, _ = movement(species, width_mm, dry=7.0, damp=13.0)
    return round(flat / 2 + 0.5, 1)


def main(arguments: list[str]) -> int:
    if len(arguments) != 4 or arguments[0] not in MOVEMENT:
        print("usage: wood_movement.py", "|".join(sorted(MOVEMENT)), "WIDTH DRY DAMP", file=sys.stderr)
        return 2
    species, numbers = arguments[0], [float(number) for number in arguments[1:]]
    flat, quarter = movement(species, *numbers)
    print(f"{species}: flat-sawn {flat:.1f} mm, quarter-sawn {quarter:.1f} mm")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
