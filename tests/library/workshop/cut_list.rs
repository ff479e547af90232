//! Fits the parts of a piece of furniture onto boards: longest part first, each onto the first board that still has room.

/// Width of a saw cut in millimetres, as measured on the old band saw.
const KERF_MM: u32 = 2;

/// A part of the cut list.
#[derive(Debug, Clone)]
pub struct Part {
    pub name: &'static str,
    pub length_mm: u32,
}

/// A board and what is to be cut from it.
#[derive(Debug, Default)]
pub struct Board {
    pub parts: Vec<Part>,
    pub used_mm: u32,
}

/// Distributes the parts over boards of one length. Returns `None` when a part is longer than any board.
pub fn fit(mut parts: Vec<Part>, board_mm: u32) -> Option<Vec<Board>> {
    parts.sort_by_key(|part| std::cmp::Reverse(part.length_mm));
    let mut boards: Vec<Board> = Vec::new();
    for part in parts {
        let needed = part.length_mm + KERF_MM;
        if needed > board_mm {
            return None;
        }
        let at = boards.iter().position(|board| board.used_mm + needed <= board_mm).unwrap_or_else(|| {
            boards.push(Board::default());
            boards.len() - 1
        });
        boards[at].used_mm += needed;
        boards[at].parts.push(part);
    }
    Some(boards)
}

/// The bookcase for the landing: five shelves, two sides, a plinth.
pub fn bookcase_for_the_landing() -> Vec<Part> {
    let mut parts = vec![Part { name: "side", length_mm: 1980 }, Part { name: "side", length_mm: 1980 }];
    parts.extend((0..5).map(|_| Part { name: "shelf", length_mm: 764 }));
    parts.push(Part { name: "plinth", length_mm: 764 });
    parts
}
