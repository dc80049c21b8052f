//! Holds `deploy/salesforce` against itself and against the org of the demo, which has the same fields.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on should say where")]

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use quick_xml::{Reader, events::Event};

const NAMESPACE: &str = "http://soap.sforce.com/2006/04/metadata";

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("..")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

/// A file of metadata: where it is below `deploy/salesforce`, its outermost element, and the text of every element in it.
struct Metadata {
    path: String,
    root: String,
    texts: Vec<(String, String)>,
}

impl Metadata {
    /// Reads a file; one that is not well-formed ends the test.
    fn read(path: &Path) -> Self {
        let text = read(path);
        let mut reader = Reader::from_str(&text);
        let mut open: Vec<String> = Vec::new();
        let mut root = String::new();
        let mut texts = Vec::new();
        loop {
            match reader.read_event().unwrap_or_else(|error| panic!("{}: {error}", path.display())) {
                Event::Start(start) => {
                    let name = start.name().as_ref().to_owned();
                    if open.is_empty() {
                        let namespace = start.try_get_attribute("xmlns").unwrap().unwrap();
                        assert_eq!(namespace.value.as_ref(), NAMESPACE, "{}", path.display());
                        root.clone_from(&name);
                    }
                    open.push(name);
                }
                Event::Text(text) => {
                    if let (Some(name), false) = (open.last(), text.trim().is_empty()) {
                        texts.push((name.clone(), text.to_string()));
                    }
                }
                Event::End(_) => drop(open.pop()),
                Event::Eof => break,
                _ => {}
            }
        }
        assert!(open.is_empty(), "{}: `{open:?}` is not closed", path.display());
        let path = path.strip_prefix(root_of_metadata()).unwrap().to_string_lossy().into_owned();
        Self { path, root, texts }
    }

    /// The texts of the elements of this name, in order.
    fn all<'m, 'n>(&'m self, name: &'n str) -> impl Iterator<Item = &'m str> + use<'m, 'n> {
        self.texts.iter().filter(move |(element, _)| element == name).map(|(_, text)| text.as_str())
    }

    fn one(&self, name: &str) -> &str {
        let mut found = self.all(name);
        let (Some(text), None) = (found.next(), found.next()) else {
            panic!("{}: one `{name}` is expected", self.path)
        };
        text
    }
}

fn root_of_metadata() -> PathBuf {
    root().join("deploy/salesforce")
}

fn files() -> Vec<Metadata> {
    let mut folders = vec![root_of_metadata()];
    let mut files = Vec::new();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|extension| extension == "xml") {
                files.push(Metadata::read(&path));
            }
        }
    }
    assert!(files.len() >= 6);
    files
}

/// `Contact.GangwayId__c` of `leads-and-contacts/objects/Contact/fields/GangwayId__c.field-meta.xml`.
fn field_name(file: &Metadata) -> Option<String> {
    let (_, rest) = file.path.split_once("/objects/")?;
    let (object, field) = rest.strip_suffix(".field-meta.xml")?.split_once("/fields/")?;
    Some(format!("{object}.{field}"))
}

#[test]
fn every_file_is_what_its_name_says() {
    for file in files() {
        let name = file.path.rsplit('/').next().unwrap().split('.').next().unwrap();
        if field_name(&file).is_some() {
            assert_eq!(file.root, "CustomField", "{}", file.path);
            assert_eq!(file.one("fullName"), name, "{}", file.path);
        } else {
            assert!(file.path.ends_with(".permissionset-meta.xml"), "{}", file.path);
            assert_eq!(file.root, "PermissionSet", "{}", file.path);
            assert!(file.one("label").starts_with("Gangway"), "{}", file.path);
        }
        assert!(file.one("description").chars().count() <= 255, "{}: the description is too long", file.path);
    }
}

#[test]
fn every_folder_is_a_package_directory() {
    let project: serde_json::Value =
        serde_json::from_str(&read(&root_of_metadata().join("sfdx-project.json"))).unwrap();
    let listed: BTreeSet<String> = project["packageDirectories"]
        .as_array()
        .unwrap()
        .iter()
        .map(|directory| directory["path"].as_str().unwrap().to_owned())
        .collect();
    let found: BTreeSet<String> =
        files().iter().map(|file| file.path.split('/').next().unwrap().to_owned()).collect();
    assert_eq!(listed, found);
}

/// A permission on a field that is not there would make the org refuse the whole deployment.
#[test]
fn permissions_name_fields_that_there_are() {
    let files = files();
    let own: BTreeSet<String> = files.iter().filter_map(field_name).collect();
    let mut permitted = BTreeSet::new();
    for file in &files {
        for field in file.all("field") {
            permitted.insert(field.to_owned());
            let (object, name) = field.split_once('.').unwrap();
            if name.ends_with("__c") {
                assert!(own.contains(field), "{}: {field} is deployed nowhere", file.path);
                continue;
            }
            let columns = format!("crates/salesforce-sim/data/fields/{}.tsv", object.to_lowercase());
            let described = read(&root().join(columns));
            assert!(
                described.lines().any(|line| line.split('\t').next() == Some(name)),
                "{}: {object} has no {name}",
                file.path
            );
        }
    }
    let unseen: Vec<_> = own.difference(&permitted).collect();
    assert!(unseen.is_empty(), "nobody may see {unseen:?}");
}

/// What is tried with the demo is what is deployed.
#[test]
fn the_org_of_the_demo_has_the_same_external_ids() {
    let demo: toml::Value =
        toml::from_str(&read(&root().join("crates/gangway/src/commands/demo-org.toml"))).unwrap();
    let mut compared = 0;
    for file in files() {
        let Some(field) = field_name(&file).filter(|field| field.ends_with(".GangwayId__c")) else {
            continue;
        };
        let (object, name) = field.split_once('.').unwrap();
        let of_demo = demo["fields"]
            .as_array()
            .unwrap()
            .iter()
            .find(|field| field["object"].as_str() == Some(object) && field["name"].as_str() == Some(name))
            .unwrap_or_else(|| panic!("the demo has no {field}"));
        assert_eq!(file.one("length"), of_demo["length"].to_string());
        assert_eq!(file.one("label"), of_demo["label"].as_str().unwrap());
        for (metadata, key) in
            [("unique", "unique"), ("caseSensitive", "case-sensitive"), ("externalId", "external-id")]
        {
            assert_eq!((file.one(metadata), of_demo[key].as_bool()), ("true", Some(true)), "{field}: {key}");
        }
        compared += 1;
    }
    assert_eq!(compared, 2, "Contact and Lead");
}
