//! Rows of text as a table, as CSV or as TSV.

use std::iter::once;

use clap::ValueEnum;

/// `--output`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub(super) enum Output {
    Table,
    Csv,
    Tsv,
}

/// `rows` below `header`, all of the same number of columns.
pub(super) fn render(output: Output, header: &[String], rows: &[Vec<String>]) -> String {
    match output {
        Output::Table => table(header, rows),
        Output::Csv => separated(',', header, rows),
        Output::Tsv => separated('\t', header, rows),
    }
}

/// Columns between bars, which is Markdown too; the header centred, the rest to the left.
fn table(header: &[String], rows: &[Vec<String>]) -> String {
    let width = |column: usize| {
        let cells = rows.iter().map(|row| &row[column]).chain(once(&header[column]));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0)
    };
    let widths: Vec<usize> = (0..header.len()).map(width).collect();
    let mut text = String::new();
    for (name, &width) in header.iter().zip(&widths) {
        text.push_str(&format!("| {name:^width$} "));
    }
    text.push_str("|\n");
    for &width in &widths {
        text.push('|');
        text.push_str(&"-".repeat(width + 2));
    }
    text.push_str("|\n");
    for row in rows {
        for (cell, &width) in row.iter().zip(&widths) {
            text.push_str(&format!("| {cell:<width$} "));
        }
        text.push_str("|\n");
    }
    text
}

/// RFC 4180, with `separator` between cells.
fn separated(separator: char, header: &[String], rows: &[Vec<String>]) -> String {
    let mut text = String::new();
    for row in once(header).chain(rows.iter().map(Vec::as_slice)) {
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                text.push(separator);
            }
            let special = |c: char| c == separator || matches!(c, '"' | '\r' | '\n');
            if cell.contains(special) || cell.starts_with(char::is_whitespace) {
                text.push('"');
                text.push_str(&cell.replace('"', "\"\""));
                text.push('"');
            } else {
                text.push_str(cell);
            }
        }
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rendered(output: Output) -> String {
        let row = |cells: [&str; 3]| cells.map(str::to_owned).to_vec();
        let rows = [row(["é", "1,000", "x=\"y\""]), row(["longer", "", "a\tb"])];
        render(output, &row(["ID", "COUNT", "LABELS"]), &rows)
    }

    #[test]
    fn tables_are_aligned() {
        assert_eq!(
            rendered(Output::Table),
            "|   ID   | COUNT | LABELS |\n\
             |--------|-------|--------|\n\
             | é      | 1,000 | x=\"y\"  |\n\
             | longer |       | a\tb    |\n"
        );
    }

    #[test]
    fn cells_with_separators_are_quoted() {
        assert_eq!(
            rendered(Output::Csv),
            "ID,COUNT,LABELS\né,\"1,000\",\"x=\"\"y\"\"\"\nlonger,,a\tb\n"
        );
        assert_eq!(
            rendered(Output::Tsv),
            "ID\tCOUNT\tLABELS\né\t1,000\t\"x=\"\"y\"\"\"\nlonger\t\t\"a\tb\"\n"
        );
    }
}
