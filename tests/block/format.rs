//! `engine/docs/format.md` says what is so: its tables are the schemas of the files, and its examples
//! print what stands there.

use std::path::Path;
use std::process::Command;
use std::sync::Arc;

use arrow::datatypes::{DataType, Field, Schema, TimeUnit};
use engine::block::schema::{
    HISTOGRAMS_FILE, SAMPLES_FILE, SERIES_FILE, histograms_schema, metadata_schema, samples_schema,
    windows_schema,
};
use engine::bucket::Bucket;
use parquet::arrow::PARQUET_FIELD_ID_META_KEY;
use parquet::arrow::arrow_reader::ParquetRecordBatchReaderBuilder;

use super::committed::{blocks, bucket};
use crate::downsampled::place::{MINUTE, listed, rewritten};
use crate::support::{python, repository, scratch};

fn document() -> String {
    let path = repository().join("engine/docs/format.md");
    std::fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

/// The first four cells of each row of the table under `heading`.
fn table(document: &str, heading: &str) -> Vec<[String; 4]> {
    let (_, section) =
        document.split_once(&format!("\n### {heading}\n")).expect("the heading is there");
    let rows = section.lines().skip_while(|line| !line.starts_with("|---"));
    let cells = |line: &str| {
        let mut cells = line.split('|').skip(1).map(|cell| cell.trim().replace('`', ""));
        std::array::from_fn(|_| cells.next().unwrap_or_default())
    };
    rows.skip(1).take_while(|line| line.starts_with('|')).map(cells).collect()
}

fn type_name(data_type: &DataType) -> String {
    match data_type {
        DataType::Utf8 => "string".into(),
        DataType::Int32 => "int32".into(),
        DataType::Int64 => "int64".into(),
        DataType::Float64 => "double".into(),
        DataType::Boolean => "boolean".into(),
        DataType::Timestamp(TimeUnit::Millisecond, Some(zone)) => format!("timestamp(ms, {zone})"),
        DataType::List(element) => format!("list<{}>", type_name(element.data_type())),
        DataType::Map(entries, _) => match entries.data_type() {
            DataType::Struct(entry) => {
                let name = |at: usize| type_name(entry[at].data_type());
                format!("map<{}, {}>", name(0), name(1))
            }
            other => panic!("{other}"),
        },
        other => panic!("{other} is no type of the format"),
    }
}

fn id(field: &Field) -> String {
    field.metadata().get(PARQUET_FIELD_ID_META_KEY).cloned().unwrap_or_default()
}

/// The rows of the table that documents `schema`. Label columns are two rows, whatever their names.
fn rows(schema: &Schema) -> Vec<[String; 4]> {
    let mut rows: Vec<[String; 4]> = Vec::new();
    for field in schema.fields() {
        let name = match field.name().split_at_checked(2) {
            Some((prefix @ ("e_" | "l_"), _)) => format!("{prefix}…"),
            _ => field.name().clone(),
        };
        let null = if field.is_nullable() { "yes" } else { "no" };
        let row = [id(field), name, type_name(field.data_type()), null.to_owned()];
        if rows.last() != Some(&row) {
            rows.push(row);
        }
        if let DataType::List(element) = field.data_type() {
            let of = |field: &Field| id(field).parse::<u32>().expect("a field id");
            assert_eq!(of(element), of(field) + 1, "{}", field.name());
        }
    }
    rows
}

#[test]
fn the_tables_are_the_schemas() {
    let (settings, _) = &blocks()[0];
    let block = bucket().join("stoa/v1/blocks").join(settings.ulid.to_string());
    let schema = |name: &str| -> Arc<Schema> {
        let file = std::fs::File::open(block.join(name)).expect("the file");
        let file = ParquetRecordBatchReaderBuilder::try_new(file).expect("a Parquet file");
        Arc::clone(file.schema())
    };
    let document = document();
    for (name, in_code) in [
        (SERIES_FILE, None),
        (SAMPLES_FILE, Some(samples_schema())),
        (HISTOGRAMS_FILE, Some(histograms_schema())),
    ] {
        let documented = table(&document, name);
        assert_eq!(documented, rows(&schema(name)), "{name} in the committed bucket");
        if let Some(in_code) = in_code {
            assert_eq!(documented, rows(&in_code), "{name} in the code");
        }
    }
    assert_eq!(table(&document, "metadata-hash.parquet"), rows(&metadata_schema()));
    let windows = table(&document, "samples.parquet of a downsampled block");
    assert_eq!(windows, rows(&windows_schema()));
}

/// The fenced blocks of `language`, and where each ends.
fn fenced<'a>(document: &'a str, language: &str) -> Vec<(usize, &'a str)> {
    let open = format!("\n```{language}\n");
    let blocks = document.match_indices(&open).map(|(at, _)| {
        let start = at + open.len();
        let length = document[start..].find("```").expect("a fence that closes");
        (start + length, &document[start..start + length])
    });
    blocks.collect()
}

fn run(code: &str, folder: &Path) -> String {
    let ran = Command::new(python("tests/block/requirements.txt"))
        .args(["-c", code])
        .current_dir(folder)
        .output()
        .expect("Python runs");
    assert!(ran.status.success(), "{code}\n{}", String::from_utf8_lossy(&ran.stderr));
    String::from_utf8(ran.stdout).expect("text")
}

#[test]
fn the_examples_print_what_stands_there() {
    let document = document();
    let texts = fenced(&document, "text");
    let shared = texts.iter().find(|(_, text)| text.starts_with("('api'")).expect("an answer").1;
    let mut engines = Vec::new();
    for (end, code) in fenced(&document, "python") {
        let engine = code.split([' ', '.', '\n']).nth(1).expect("an import");
        if engine == "pyspark" {
            continue; // As the document says.
        }
        // An answer of its own stands right after the code.
        let own = document[end..].strip_prefix("```\n\n```text\n");
        let answer = own.map_or(shared, |text| text.split("```").next().unwrap_or_default());
        assert_eq!(run(code, &bucket()), answer, "{engine}");
        engines.push(engine);
    }
    assert_eq!(engines, ["duckdb", "duckdb", "pyarrow", "polars"]);
}

/// The statement over windows finds in those of the first committed block what the others find in its samples.
#[tokio::test]
async fn windows_are_read_as_the_document_says() {
    let folder = format!("type: FILESYSTEM\nconfig: {{directory: '{}'}}", bucket().display());
    let committed = Bucket::from_yaml(&folder).expect("a folder is a bucket");
    let catalog = listed(&committed).await;
    let snapshot = catalog.snapshot();
    let block = snapshot.blocks.iter().find(|meta| meta.ulid == blocks()[0].0.ulid);
    let dir = scratch();
    let block = block.expect("the first block");
    rewritten(&committed, &catalog, block, 5 * MINUTE, dir.path()).await;
    let document = document();
    let [(_, statement)] = fenced(&document, "sql")[..] else { panic!("one statement") };
    let code = format!(
        "import duckdb\nprint(*duckdb.execute(\"\"\"{statement}\"\"\").fetchall(), sep='\\n')"
    );
    let texts = fenced(&document, "text");
    let shared = texts.iter().find(|(_, text)| text.starts_with("('api'")).expect("an answer").1;
    assert_eq!(run(&code, dir.path()), shared);
}
