//! A writer for the XML that the Query protocols answer. Escapes text; knows nothing of AWS's objects.

/// XML under construction.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Xml(String);

impl Xml {
    pub fn new() -> Self {
        Self::default()
    }
    /// `<name>value</name>`.
    pub fn leaf(&mut self, name: &str, value: impl std::fmt::Display) -> &mut Self {
        let text = escape(&value.to_string());
        self.0.push_str(&format!("<{name}>{text}</{name}>"));
        self
    }
    /// A leaf that is left out when there is no value.
    pub fn maybe(&mut self, name: &str, value: Option<impl std::fmt::Display>) -> &mut Self {
        if let Some(v) = value {
            self.leaf(name, v);
        }
        self
    }
    /// `<name>…</name>` with what `f` writes inside.
    pub fn node(&mut self, name: &str, f: impl FnOnce(&mut Self)) -> &mut Self {
        self.0.push_str(&format!("<{name}>"));
        f(self);
        self.0.push_str(&format!("</{name}>"));
        self
    }
    /// An EC2 list: `<name><item>…</item>…</name>`.
    pub fn items<T>(
        &mut self,
        name: &str,
        list: impl IntoIterator<Item = T>,
        mut f: impl FnMut(&mut Self, T),
    ) -> &mut Self {
        self.node(name, |x| {
            for item in list {
                x.node("item", |x| f(x, item));
            }
        })
    }
    pub fn into_string(self) -> String {
        self.0
    }
}

/// Text with XML's special characters as entities.
pub fn escape(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => out.push_str("&amp;"),
            '<' => out.push_str("&lt;"),
            '>' => out.push_str("&gt;"),
            '"' => out.push_str("&quot;"),
            c => out.push(c),
        }
    }
    out
}
