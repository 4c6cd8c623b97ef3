use super::*;

/// Every kind there is: what serde would have taken.
fn kinds() -> Vec<String> {
    let error = serde_json::from_str::<What>(r#"{"kind":"?"}"#).unwrap_err().to_string();
    error.split('`').skip(3).step_by(2).map(str::to_owned).collect()
}

#[test]
fn every_kind_has_a_sample_and_is_searched_for_by_the_name_in_the_log() {
    let samples = samples::one_of_each("text");
    assert_eq!(samples.iter().map(What::kind).collect::<Vec<_>>(), kinds());
    for what in samples {
        assert_eq!(serde_json::to_value(&what).unwrap()["kind"], what.kind());
    }
}

#[test]
fn the_documentation_names_every_kind_and_its_data() {
    let page = include_str!("../../../docs/audit-log-format.md");
    let (_, table) = page.split_once("### The kinds\n").unwrap();
    let rows: Vec<Vec<&str>> = table
        .lines()
        .skip_while(|line| !line.starts_with("| `"))
        .take_while(|line| line.starts_with('|'))
        .map(|line| line.split('`').skip(1).step_by(2).collect())
        .collect();
    assert_eq!(rows.iter().map(|row| row[0]).collect::<Vec<_>>(), kinds());
    for (what, row) in samples::one_of_each("text").iter().zip(rows) {
        let value = serde_json::to_value(what).unwrap();
        let mut data: Vec<&str> = value["data"].as_object().unwrap().keys().map(String::as_str).collect();
        let mut said = row[1..].to_vec();
        data.sort_unstable();
        said.sort_unstable();
        assert_eq!(said, data, "{}", what.kind());
    }
}
