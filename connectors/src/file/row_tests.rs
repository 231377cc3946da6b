use super::*;
use proptest::prelude::*;

fn context() -> Context {
    Context {
        tenant: "acme".into(),
        file: "0123456789ab".into(),
        mapping: 7,
        began_at: 1000,
        received_at: 2000,
    }
}

fn rows(format: Format, text: &[u8], mapping: &Mapping) -> Vec<Row> {
    let columns = columns(format, text).unwrap();
    let mut rows = Rows::new(format, text, text, columns, mapping).unwrap();
    let mut found = Vec::new();
    while let Some(row) = rows.next(&context()).unwrap() {
        found.push(row);
    }
    found
}

fn events(format: Format, text: &str) -> Vec<(TicketEvent, TicketContent)> {
    let mapped = rows(format, text.as_bytes(), &Mapping::default()).into_iter().map(|row| row.event);
    mapped.map(|event| *event.unwrap_or_else(|(error, _)| panic!("{error}"))).collect()
}

fn errors(format: Format, text: &[u8]) -> Vec<(u64, &'static str)> {
    let rows = rows(format, text, &Mapping::default());
    rows.into_iter().filter_map(|row| Some((row.line, row.event.err()?.0.reason()))).collect()
}

#[test]
fn a_csv_row_is_mapped_whole() {
    let text = "Ticket ID;Title;Description;Opened;State;Priority;Tags;Customer Email;Colour\n\
        A-1;Refund;\"Charged twice;\nplease help\";2026-11-23 12:00;On Hold;Critical;vip, billing;sam@customer.example;red\n";
    let events = events(Format::Csv, text);
    insta::assert_json_snapshot!(serde_json::json!(events));
}

#[test]
fn who_is_named_rather_than_referred_to_is_sealed() {
    let text = "Title,customer_id,owner,organization_id\n\
        a,ana@example.com,Jane Roe,Roe Ltd\nb,Ana Smith,17,9\nc,u-204,x_9,o9\n";
    let events = events(Format::Csv, text);
    let in_clear = |n: usize| {
        let event: &TicketEvent = &events[n].0;
        [&event.requester_ref, &event.assignee_ref, &event.organization_ref].map(|id| id.as_deref())
    };
    assert_eq!(in_clear(0), [None; 3]);
    assert_eq!(events[0].1.requester_email.as_deref(), Some("ana@example.com"));
    assert_eq!(events[0].1.fields["assignee"], "Jane Roe");
    assert_eq!(events[0].1.fields["organization"], "Roe Ltd");
    assert_eq!(in_clear(1), [None, Some("17"), Some("9")]);
    assert_eq!(events[1].1.requester_name.as_deref(), Some("Ana Smith"));
    assert_eq!(in_clear(2), [Some("u-204"), Some("x_9"), Some("o9")]);
    let seen = serde_json::to_string(&events.iter().map(|(event, _)| event).collect::<Vec<_>>()).unwrap();
    assert!(!seen.contains("example.com") && !seen.contains("Roe") && !seen.contains("Smith"));
}

#[test]
fn json_lines_and_a_list_are_the_same_rows() {
    let (first, second) = (
        r#"{"id": 1, "subject": "Refund", "requester": {"email": "sam@customer.example"}, "tags": ["a", "b"], "extra": null}"#,
        r#"{"subject": "No id", "text": "x", "created": 1795435200}"#,
    );
    let lines = events(Format::Jsonl, &format!("{first}\n{second}\n"));
    let list = events(Format::Jsonl, &format!("[{first}\n,{second}]"));
    assert_eq!(lines, list);
    assert_eq!((lines[0].0.ticket_id.as_str(), lines[0].1.tags.len()), ("1", 2));
    assert_eq!(lines[0].1.requester_email.as_deref(), Some("sam@customer.example"));
    assert_eq!((lines[1].0.ticket_id.as_str(), lines[1].0.version), ("0123456789ab-2", 1_795_435_200_000));
}

#[test]
fn a_zendesk_export_is_read_in_every_wrapping() {
    let ticket = r#"{"id":17,"subject":"Refund","description":"Charged twice","status":"open","priority":null,
        "tags":["vip"],"requester_id":3,"via":{"channel":"email"},"created_at":"2026-11-23T11:00:00Z",
        "updated_at":"2026-11-23T12:00:00Z"}"#;
    let one = ticket.replace('\n', "");
    for text in [one, format!("[{ticket}]"), format!("{{\"tickets\": [{ticket}], \"count\": 1}}")] {
        let format = Format::guess("tickets.json", text.as_bytes());
        assert_eq!(format, Format::Zendesk);
        let events = events(format, &text);
        let [(event, content)] = events.as_slice() else { panic!("{} events", events.len()) };
        assert_eq!((event.key().as_str(), event.origin), ("acme/import/17", Origin::Import));
        assert_eq!((content.body.as_str(), event.kind), ("Charged twice", EventKind::Updated));
    }
}

#[test]
fn bad_rows_are_told_with_their_line() {
    let csv = b"id,subject,created_at\n1,Good,2026-11-23\n2,Short\n3,,\n4,Bad time,soon\na/b,Bad id,\n5,\xff,\n6,Good again,\n";
    assert_eq!(
        errors(Format::Csv, csv),
        [(3, "wrong-width"), (4, "no-text"), (5, "bad-time"), (6, "bad-id"), (7, "invalid-utf8")]
    );
    let json = b"{\"subject\":\"Good\"}\nnonsense\n{\"subject\":\n";
    assert_eq!(errors(Format::Jsonl, json), [(2, "not-json"), (3, "not-json")]);
    assert_eq!(
        errors(Format::Zendesk, b"{\"id\":1}\n[1]\n{\"id\":2,\"status\":\"deleted\"}"),
        [(1, "bad-shape"), (2, "not-json"), (3, "bad-shape")]
    );
}

#[test]
fn formats_are_told_apart() {
    for (name, head, expected) in [
        ("a.csv", "id,subject", Format::Csv),
        ("a.txt", "id,subject", Format::Csv),
        ("a.json", "[{\"subject\":1}]", Format::Jsonl),
        ("a", "{\"subject\":1}", Format::Jsonl),
    ] {
        assert_eq!(Format::guess(name, head.as_bytes()), expected, "{name}");
    }
}

#[test]
fn reading_again_gives_the_same_ids() {
    let text = "subject,text\nA,x\nB,y\n";
    let ids = |events: Vec<(TicketEvent, TicketContent)>| {
        events.into_iter().map(|(e, _)| e.event_id).collect::<Vec<_>>()
    };
    assert_eq!(ids(events(Format::Csv, text)), ids(events(Format::Csv, text)));
}

#[test]
fn skipped_rows_are_the_first_ones() {
    let text = b"subject\nA\nB,\nC\n";
    let columns = columns(Format::Csv, text).unwrap();
    let mut rows = Rows::new(Format::Csv, &text[..], text, columns, &Mapping::default()).unwrap();
    assert!(rows.skip().unwrap() && rows.skip().unwrap());
    let row = rows.next(&context()).unwrap().unwrap();
    assert_eq!((row.line, row.event.unwrap().1.subject.as_str()), (4, "C"));
    assert!(!rows.skip().unwrap());
}

proptest! {
    #[test]
    fn no_file_makes_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        for format in [Format::Csv, Format::Jsonl, Format::Zendesk] {
            let Ok(columns) = columns(format, &bytes) else { continue };
            let Ok(mut rows) = Rows::new(format, bytes.as_slice(), &bytes, columns, &Mapping::default()) else { continue };
            while let Ok(Some(_)) = rows.next(&context()) {}
        }
    }
}
