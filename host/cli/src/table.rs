//! Aligned columns.

use crate::paint::{Paint, Tone};
use crate::text;

/// Blanks between two columns.
const GAP: usize = 2;

/// Columns left for the last one, however narrow the terminal is.
const LEAST_LAST: usize = 12;

/// One piece of a row.
#[derive(Clone, Debug)]
pub struct Cell {
    text: String,
    tone: Option<Tone>,
    right: bool,
}

impl Cell {
    /// Text, made safe.
    pub fn new(text: impl AsRef<str>) -> Self {
        Self { text: text::one_line(text.as_ref()), tone: None, right: false }
    }

    /// With a meaning.
    pub fn tone(self, tone: Tone) -> Self {
        Self { tone: Some(tone), ..self }
    }

    /// Aligned to the right, for numbers.
    pub fn right(self) -> Self {
        Self { right: true, ..self }
    }
}

/// Draws rows of equal length. On a terminal of `width` columns the last column is
/// cut to fit; else nothing is.
pub fn draw(rows: &[Vec<Cell>], paint: Paint, width: Option<usize>) -> String {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns)
        .map(|column| {
            let cells = rows.iter().filter_map(|row| row.get(column));
            cells.map(|cell| text::width(&cell.text)).max().unwrap_or(0)
        })
        .collect();
    let mut out = String::new();
    for row in rows {
        let mut line = String::new();
        let mut used = 0;
        for (column, cell) in row.iter().enumerate() {
            let last = column + 1 == row.len();
            let shown = match width {
                Some(width) if last => text::cut(&cell.text, width.saturating_sub(used).max(LEAST_LAST)),
                _ => cell.text.clone(),
            };
            let fill = " ".repeat(widths[column].saturating_sub(text::width(&shown)));
            let painted = cell.tone.map_or_else(|| shown.clone(), |tone| paint.tone(tone, &shown));
            if cell.right {
                line.push_str(&fill);
            }
            line.push_str(&painted);
            if !last {
                if !cell.right {
                    line.push_str(&fill);
                }
                line.push_str(&" ".repeat(GAP));
            }
            used += widths[column] + GAP;
        }
        out.push_str(line.trim_end());
        out.push('\n');
    }
    out
}

/// A name and what is said about it.
pub fn row(name: &str, value: Cell) -> Vec<Cell> {
    vec![Cell::new(name).tone(Tone::Quiet), value]
}

/// A heading row.
pub fn heading(names: &[&str]) -> Vec<Cell> {
    names.iter().map(|name| Cell::new(name).tone(Tone::Quiet)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_align_and_only_the_last_is_cut() {
        let rows = vec![
            heading(&["key", "cost", "title"]),
            vec![Cell::new("日本"), Cell::new("$1").right(), Cell::new("a long title of a task")],
            vec![Cell::new("b"), Cell::new("$12.00").right(), Cell::new("")],
        ];
        insta::assert_snapshot!(draw(&rows, Paint::Plain, Some(30)));
        assert!(draw(&rows, Paint::Plain, None).contains("a long title of a task"));
    }
}
