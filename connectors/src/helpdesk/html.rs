//! The text of HTML, where Freshdesk gives only that, and HTML of a text, since notes are HTML.

/// Elements that end a line.
const BLOCKS: [&str; 10] = ["br", "p", "div", "li", "tr", "h1", "h2", "h3", "blockquote", "pre"];

/// Elements whose content is no text.
const HIDDEN: [&str; 2] = ["script", "style"];

/// A text as HTML that shows it.
pub fn escape(text: &str) -> String {
    let mut html = String::with_capacity(text.len() + text.len() / 8);
    for c in text.chars() {
        match c {
            '&' => html.push_str("&amp;"),
            '<' => html.push_str("&lt;"),
            '>' => html.push_str("&gt;"),
            '"' => html.push_str("&quot;"),
            '\'' => html.push_str("&#39;"),
            c => html.push(c),
        }
    }
    html
}

/// A text of several lines as an HTML block.
pub fn block(text: &str) -> String {
    format!("<div>{}</div>", escape(text).replace('\n', "<br>"))
}

/// Whether two texts say the same: of HTML some helpdesks make lines, some make none.
pub fn same_words(one: &str, other: &str) -> bool {
    let bare = |text: &str| text.chars().filter(|c| !c.is_whitespace()).collect::<String>();
    bare(one) == bare(other)
}

/// The text that HTML shows, one line per block. Linear in its length, whatever it is.
pub fn text(html: &str) -> String {
    let mut text = String::with_capacity(html.len());
    let mut rest = html;
    while let Some(at) = rest.find(['<', '&']) {
        text.push_str(&rest[..at]);
        rest = &rest[at..];
        rest = if rest.starts_with('<') { tag(rest, &mut text) } else { entity(rest, &mut text) };
    }
    text.push_str(rest);
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty());
    lines.collect::<Vec<_>>().join("\n")
}

/// Passes over a tag, and over the content of one that is not shown; gives what follows.
fn tag<'a>(rest: &'a str, text: &mut String) -> &'a str {
    if let Some(comment) = rest.strip_prefix("<!--") {
        return comment.find("-->").map_or("", |end| &comment[end + 3..]);
    }
    let inner = rest[1..].strip_prefix('/').unwrap_or(&rest[1..]);
    if !inner.starts_with(|c: char| c.is_ascii_alphabetic() || c == '!') {
        // "1 < 2" is no tag.
        text.push('<');
        return &rest[1..];
    }
    let Some(end) = rest.find('>') else { return "" };
    let after = &rest[end + 1..];
    let name_end = inner.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(inner.len());
    let name = inner[..name_end].to_ascii_lowercase();
    if BLOCKS.contains(&name.as_str()) {
        text.push('\n');
    }
    if HIDDEN.contains(&name.as_str()) && !rest.starts_with("</") {
        let closes = |at: &usize| {
            let name_at = at + 2;
            after.get(name_at..name_at + name.len()).is_some_and(|found| found.eq_ignore_ascii_case(&name))
        };
        return after.match_indices("</").map(|(at, _)| at).find(closes).map_or("", |at| &after[at..]);
    }
    after
}

/// Reads an entity; an ampersand that begins none is itself.
fn entity<'a>(rest: &'a str, text: &mut String) -> &'a str {
    const LONGEST: usize = 10;
    let end = rest.bytes().take(LONGEST).position(|b| b == b';');
    let known = end.and_then(|end| Some((read(&rest[1..end])?, end)));
    match known {
        Some((c, end)) => {
            text.push(c);
            &rest[end + 1..]
        }
        None => {
            text.push('&');
            &rest[1..]
        }
    }
}

fn read(name: &str) -> Option<char> {
    const NAMES: [(&str, char); 6] =
        [("amp", '&'), ("lt", '<'), ("gt", '>'), ("quot", '"'), ("apos", '\''), ("nbsp", ' ')];
    if let Some((_, c)) = NAMES.iter().find(|(known, _)| *known == name) {
        return Some(*c);
    }
    let number = name.strip_prefix('#')?;
    let code = match number.strip_prefix(['x', 'X']) {
        Some(hex) => u32::from_str_radix(hex, 16).ok()?,
        None => number.parse().ok()?,
    };
    char::from_u32(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn html_is_read_as_it_is_shown() {
        for (html, expected) in [
            (
                "<div>Hello,<br>I was <b>charged</b> twice.</div><p>Sam</p>",
                "Hello,\nI was charged twice.\nSam",
            ),
            ("1 &lt; 2 &amp; 2 &gt; 1 &#8364; &#x20AC; &nbsp;&copy; AT&T", "1 < 2 & 2 > 1 € €  &copy; AT&T"),
            ("1 < 2 and <3", "1 < 2 and <3"),
            ("<STYLE>p{color:red}</STYLE>a<script>alert('x')</script>b<!-- c -->d", "abd"),
            ("<a href=\"https://x.example/?a=1&b=2\">link</a>", "link"),
            ("cut <div class=", "cut"),
            ("Grüße ☃", "Grüße ☃"),
        ] {
            assert_eq!(text(html), expected, "{html}");
        }
    }

    proptest! {
        #[test]
        fn what_is_escaped_is_read_back(line in "[ -~äöü€☃]{0,60}") {
            prop_assert_eq!(text(&escape(&line)), line.trim());
        }

        #[test]
        fn nothing_makes_it_panic(html in "[<>&;#x/!a-zé 0-9\"-]{0,80}") {
            let _ = text(&html);
        }
    }
}
