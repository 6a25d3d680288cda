//! XML records, as Windows and MySQL write them.
//!
//! An element is an object of its children by their names; one that is nothing but text is that text. Attributes are
//! members named `@name`, text beside them is `#text`, repeated elements are a list. `<Data Name="X">v</Data>` is the
//! member `X` of its parent: so Windows writes the fields of an event.

use roxmltree::{Document, Node, ParsingOptions};

use crate::value::{Heap, Val};

const NODES_MAX: u32 = 4_000;
const DEPTH_MAX: usize = 64;

/// Reads one document; the root element is the only member of the answer.
pub(crate) fn read<'e>(text: &str, heap: &'e Heap) -> Result<Val<'e>, String> {
    // Entities of a document's own could grow without end: documents that bring some are refused.
    let options = ParsingOptions { allow_dtd: false, nodes_limit: NODES_MAX, ..ParsingOptions::default() };
    let document = Document::parse_with_options(text.trim(), options).map_err(|error| error.to_string())?;
    let root = document.root_element();
    Ok(heap.object([(heap.text(root.tag_name().name()), element(root, heap, 0)?)]))
}

fn element<'e>(node: Node<'_, '_>, heap: &'e Heap, depth: usize) -> Result<Val<'e>, String> {
    if depth > DEPTH_MAX {
        return Err(format!("elements lie more than {DEPTH_MAX} deep"));
    }
    let mut members: Vec<(String, Vec<Val<'e>>)> = Vec::new();
    let mut add = |name: String, value: Val<'e>| match members.iter_mut().find(|(known, _)| *known == name) {
        Some((_, values)) => values.push(value),
        None => members.push((name, vec![value])),
    };
    for attribute in node.attributes() {
        add(format!("@{}", attribute.name()), Val::Text(heap.text(attribute.value())));
    }
    for child in node.children().filter(Node::is_element) {
        match child.attribute("Name").filter(|_| child.tag_name().name() == "Data") {
            Some(name) => add(name.to_owned(), Val::Text(heap.text(&text_of(child)))),
            None => add(child.tag_name().name().to_owned(), element(child, heap, depth + 1)?),
        }
    }
    let text = text_of(node);
    if members.is_empty() {
        return Ok(if text.is_empty() { Val::Null } else { Val::Text(heap.text(&text)) });
    }
    if !text.is_empty() {
        members.push(("#text".to_owned(), vec![Val::Text(heap.text(&text))]));
    }
    Ok(heap.object(members.into_iter().map(|(name, values)| {
        let value = match values.as_slice() {
            [one] => *one,
            all => heap.list(all.iter().copied()),
        };
        (heap.text(&name), value)
    })))
}

/// The text directly in an element.
fn text_of(node: Node<'_, '_>) -> String {
    let text: String = node.children().filter(Node::is_text).filter_map(|child| child.text()).collect();
    text.trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_windows_writes() {
        let heap = Heap::new(1 << 20);
        let record = read(
            r#"<Event xmlns="http://schemas.example/event"><System><Provider Name="P"/><EventID Qualifiers="0">4624</EventID><Computer>dc1</Computer></System><EventData><Data Name="TargetUserName">ana &amp; co</Data><Data Name="Empty"></Data></EventData><a>1</a><a>2</a></Event>"#,
            &heap,
        )
        .unwrap()
        .get("Event");
        assert_eq!(record.get("System").get("EventID").get("#text"), Val::Text("4624"));
        assert_eq!(record.get("System").get("Provider").get("@Name"), Val::Text("P"));
        assert_eq!(record.get("System").get("Computer"), Val::Text("dc1"));
        assert_eq!(record.get("EventData").get("TargetUserName"), Val::Text("ana & co"));
        assert_eq!(record.get("a").at(1), Val::Text("2"));
    }

    #[test]
    fn bombs_do_not_go_off() {
        let heap = Heap::new(1 << 20);
        let bomb = "<!DOCTYPE a [<!ENTITY b \"xx\"><!ENTITY c \"&b;&b;\">]><a>&c;</a>";
        assert!(read(bomb, &heap).is_err());
        assert!(read(&format!("{}{}", "<a>".repeat(200), "</a>".repeat(200)), &heap).is_err());
        assert!(read("<a>", &heap).is_err());
    }
}
