//! The table: how wide its columns are, and its rows over the pages.

use std::rc::Rc;

use krilla::tagging::ArtifactType;

use super::PdfError;
use super::paper::{BRONZE, HAIR, INK, MARGIN, Paper, Role, Sheet};
use super::text::{Block, Face, Style, Typesetter};

const PAD_X: f32 = 4.0;
const PAD_Y: f32 = 3.6;
/// No column starts wider than this, whatever is in it.
const NATURAL_MAX: f32 = 230.0;
const WORD_MAX: f32 = 92.0;
/// What a cell may print; the rest is in the trail, and the cell says so.
pub const CELL_CHARS_MAX: usize = 3_000;

/// How a column's cells are set.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Look {
    Text,
    /// Addresses, identifiers, commands.
    Code,
    /// Flush right.
    Number,
    Time,
}

#[derive(Debug, Clone)]
pub struct Heading {
    pub title: String,
    pub look: Look,
}

/// The columns as they stand on the page.
pub struct Columns {
    headings: Vec<Heading>,
    widths: Vec<f32>,
    /// Type size relative to the usual one.
    scale: f32,
}

impl Columns {
    /// Chooses the sheet and the widths by what `sample`, the first rows, would like to have.
    pub fn measure(type_: &mut Typesetter, headings: Vec<Heading>, sample: &[Vec<String>]) -> (Sheet, Self) {
        let scale = if headings.len() > 16 { 0.88 } else { 1.0 };
        let mut wants = Vec::with_capacity(headings.len());
        for (index, heading) in headings.iter().enumerate() {
            let title = type_.widths(&heading.title, title_style(heading.look, scale));
            let mut naturals = Vec::new();
            let mut min = title.min;
            for row in sample {
                let text = row.get(index).map_or("", String::as_str);
                let text: String = text.chars().take(200).collect();
                let widths = type_.widths(&text, style(heading.look, scale));
                min = min.max(widths.min.min(WORD_MAX));
                naturals.push(widths.max);
            }
            naturals.sort_by(f32::total_cmp);
            // The few longest may wrap.
            let natural = naturals.get(naturals.len().saturating_sub(1) * 19 / 20).copied().unwrap_or(0.0);
            let min = min.clamp(18.0, WORD_MAX) + 2.0 * PAD_X + 0.5;
            let max = natural.max(title.max).min(NATURAL_MAX) + 2.0 * PAD_X + 0.5;
            wants.push((min, max.max(min)));
        }
        let narrowest: f32 = wants.iter().map(|want| want.0).sum();
        let natural: f32 = wants.iter().map(|want| want.1).sum();
        let sheet =
            if natural <= Sheet::PORTRAIT.inner() || (headings.len() <= 5 && narrowest <= Sheet::PORTRAIT.inner()) {
                Sheet::PORTRAIT
            } else if narrowest <= Sheet::LANDSCAPE.inner() {
                Sheet::LANDSCAPE
            } else {
                Sheet::WIDE
            };
        let widths = share(&wants, &headings, sheet.inner());
        let columns = Self { headings, widths, scale };
        (sheet, columns)
    }

    /// Prints the column titles; from the second page on they are a repetition and no content.
    fn titles(&self, paper: &mut Paper<'_>, repeated: bool) {
        let blocks: Vec<Rc<Block>> = self
            .headings
            .iter()
            .zip(&self.widths)
            .map(|(heading, width)| {
                let style = title_style(heading.look, self.scale);
                paper.type_.block(&heading.title, style, width - 2.0 * PAD_X)
            })
            .collect();
        // Titles are bounded, but a hundred narrow columns could still make them tall.
        let lines_max = 8;
        let height = blocks
            .iter()
            .map(|block| block.lines.len().min(lines_max) as f32 * block.style.leading)
            .fold(0.0, f32::max);
        if !repeated {
            paper.open(Role::Head);
            paper.open(Role::Row);
        }
        let mut x = MARGIN;
        for (block, width) in blocks.iter().zip(&self.widths) {
            let lines = block.lines.len().min(lines_max);
            let y = paper.y + height - lines as f32 * block.style.leading;
            if repeated {
                paper.aside(block, x + PAD_X, y, ArtifactType::Header);
            } else {
                paper.open(Role::ColumnTitle);
                paper.text(block, 0..lines, x + PAD_X, y);
                paper.close();
            }
            x += width;
        }
        if !repeated {
            paper.close();
            paper.close();
        }
        paper.y += height + 3.5;
        paper.rule(0.9, BRONZE);
        paper.y += 0.9;
    }

    /// Opens the table on the page.
    pub fn begin(&self, paper: &mut Paper<'_>) -> Result<(), PdfError> {
        paper.need(70.0)?;
        paper.open(Role::Table);
        self.titles(paper, false);
        paper.open(Role::Body);
        Ok(())
    }

    /// Prints one row; a row that doesn't fit goes to the next page, one that fits no page is continued there.
    pub fn row(&self, paper: &mut Paper<'_>, cells: &[String]) -> Result<(), PdfError> {
        let blocks: Vec<Rc<Block>> = self
            .headings
            .iter()
            .zip(&self.widths)
            .enumerate()
            .map(|(index, (heading, width))| {
                let text = cells.get(index).map_or("", String::as_str);
                paper.type_.block(text, style(heading.look, self.scale), width - 2.0 * PAD_X)
            })
            .collect();
        let leading = style(Look::Text, self.scale).leading;
        let lines = blocks.iter().map(|block| block.lines.len()).max().unwrap_or(1).max(1);
        let height = lines as f32 * leading + 2.0 * PAD_Y;
        let titles = 26.0;
        if height > paper.room() && (height <= paper.room_of_page() - titles || paper.room() < 80.0) {
            self.turn(paper)?;
        }
        let mut from = 0;
        loop {
            let fit = (((paper.room() - 2.0 * PAD_Y) / leading).floor() as usize).max(1);
            let to = (from + fit).min(lines);
            paper.open(Role::Row);
            let mut x = MARGIN;
            for (block, width) in blocks.iter().zip(&self.widths) {
                paper.open(Role::Cell);
                let part = from.min(block.lines.len())..to.min(block.lines.len());
                if !part.is_empty() {
                    paper.text(block, part, x + PAD_X, paper.y + PAD_Y);
                }
                paper.close();
                x += width;
            }
            paper.close();
            paper.y += (to - from) as f32 * leading + 2.0 * PAD_Y;
            paper.rule(0.35, HAIR);
            paper.y += 0.35;
            if to == lines {
                return Ok(());
            }
            from = to;
            self.turn(paper)?;
        }
    }

    fn turn(&self, paper: &mut Paper<'_>) -> Result<(), PdfError> {
        paper.turn()?;
        self.titles(paper, true);
        Ok(())
    }

    /// Closes the table.
    pub fn end(&self, paper: &mut Paper<'_>) {
        paper.close();
        paper.close();
    }
}

fn style(look: Look, scale: f32) -> Style {
    let leading = 11.0 * scale;
    match look {
        Look::Text | Look::Time => Style::new(Face::Sans, 8.0 * scale, leading, INK),
        Look::Code => Style::new(Face::Mono, 7.3 * scale, leading, INK),
        Look::Number => Style::new(Face::Sans, 8.0 * scale, leading, INK).flush_right(),
    }
}

fn title_style(look: Look, scale: f32) -> Style {
    let style = Style::new(Face::Semibold, 7.6 * scale, 10.0 * scale, INK);
    if look == Look::Number { style.flush_right() } else { style }
}

/// Shares `whole` among columns of which each has a smallest and a natural width.
fn share(wants: &[(f32, f32)], headings: &[Heading], whole: f32) -> Vec<f32> {
    let narrowest: f32 = wants.iter().map(|want| want.0).sum();
    let natural: f32 = wants.iter().map(|want| want.1).sum();
    if narrowest > whole {
        return wants.iter().map(|want| want.0 * whole / narrowest).collect();
    }
    if natural > whole {
        let give = (whole - narrowest) / (natural - narrowest).max(1.0);
        return wants.iter().map(|(min, max)| min + (max - min) * give).collect();
    }
    // What is left over goes to the columns that hold prose.
    let grows = |heading: &Heading| if heading.look == Look::Text { 1.0 } else { 0.25 };
    let total: f32 = wants.iter().zip(headings).map(|(want, heading)| want.1 * grows(heading)).sum();
    wants
        .iter()
        .zip(headings)
        .map(|(want, heading)| want.1 + (whole - natural) * want.1 * grows(heading) / total.max(1.0))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn widths_fill_the_sheet_and_no_more() {
        let heading = |look| Heading { title: String::new(), look };
        let cases: [&[(f32, f32)]; 3] = [
            &[(20.0, 50.0), (20.0, 80.0)],
            &[(100.0, 300.0), (100.0, 500.0), (30.0, 30.0)],
            &[(400.0, 400.0), (300.0, 300.0)],
        ];
        for wants in cases {
            let headings: Vec<Heading> = wants
                .iter()
                .enumerate()
                .map(|(index, _)| heading(if index == 0 { Look::Text } else { Look::Code }))
                .collect();
            let sum: f32 = share(wants, &headings, 507.0).iter().sum();
            assert!((sum - 507.0).abs() < 0.1, "{wants:?} makes {sum}");
        }
    }
}
