//! Events: what happened at a client, in the order of the file, whichever format told it.
//!
//! Every format is read into these, so that pairing, models and rows are written once.

use super::edn::{Edn, Expected};

/// What happened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// A client asked for something.
    Invoke,
    /// It was done.
    Ok,
    /// It was certainly not done.
    Fail,
    /// Nobody knows whether it was done, or ever will be.
    Info,
}

impl EventKind {
    /// The kind with this word.
    #[must_use]
    pub fn parse(word: &str) -> Option<Self> {
        match word {
            "invoke" => Some(Self::Invoke),
            "ok" => Some(Self::Ok),
            "fail" => Some(Self::Fail),
            "info" => Some(Self::Info),
            _ => None,
        }
    }

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Invoke => "invoke",
            Self::Ok => "ok",
            Self::Fail => "fail",
            Self::Info => "info",
        }
    }
}

/// One event of a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Event {
    /// What happened.
    pub kind: EventKind,
    /// To which client.
    pub process: u32,
    /// What was asked for; empty where the format leaves it out.
    pub function: Box<str>,
    /// The key, in formats that keep it apart from the value.
    pub key: Option<Edn>,
    /// What was asked, or told.
    pub value: Edn,
    /// Nanoseconds since the start, where the format says it.
    pub time_ns: Option<u64>,
    /// Offset in the file.
    pub offset: usize,
}

/// The events of a file.
#[derive(Clone, Debug, Default)]
pub struct Events {
    /// In the order of the file.
    pub events: Vec<Event>,
    /// Events of a nemesis or of another process that is no client.
    pub of_faults: u64,
    /// Lines that are none of a history's (only logs have such lines).
    pub skipped_lines: u64,
    /// The `:index` of each event that has one.
    indices: Vec<i64>,
    /// Whether the events do not say their process, as in examples of papers; all of them or none.
    nameless: Option<bool>,
}

impl Events {
    /// Adds a map such as `{:type :invoke, :process 0, :f :read, :value nil}`, from EDN or JSON, or Knossos' short form of it,
    /// `[0 :invoke :read nil]`.
    ///
    /// # Errors
    /// What is missing or wrong in it.
    pub fn add(&mut self, form: &Edn, offset: usize) -> Result<(), Expected> {
        let wrong = |what: String| Expected::at(offset, what);
        let fields = Fields::of(form.untagged()).map_err(wrong)?;
        let named = fields.process.or(fields.client);
        let process = match named {
            // Each by a client of its own: nothing is said about who did it, so no session connects them.
            None => u32::try_from(self.events.len() / 2).map_err(|_| wrong("an operation with a :process".to_owned()))?,
            Some(Edn::Integer(process)) => {
                u32::try_from(*process).map_err(|_| wrong(format!("a :process from 0 to 4294967295, found {process}")))?
            }
            Some(process @ (Edn::Nil | Edn::Number(_))) => {
                return Err(wrong(format!("a :process that is a small number or a name, found {process}")));
            }
            Some(_) => {
                self.of_faults += 1;
                return Ok(());
            }
        };
        let kind = fields.kind.and_then(Edn::word).and_then(EventKind::parse);
        let Some(kind) = kind else {
            let found = fields.kind.map_or_else(|| "none".to_owned(), Edn::to_string);
            return Err(wrong(format!("a :type that is :invoke, :ok, :fail or :info, found {found}")));
        };
        self.check_names(named.is_none(), kind).map_err(wrong)?;
        let function = match fields.function {
            None | Some(Edn::Nil) => "",
            Some(form) => form.word().ok_or_else(|| wrong(format!("a word for :f, found {form}")))?,
        };
        // Times of another form (texts, fractions of a second) are not kept: nothing is judged by them.
        let time_ns = fields.time.or(fields.timestamp).and_then(Edn::integer).and_then(|time| u64::try_from(time).ok());
        let value = fields.value.cloned().unwrap_or(Edn::Nil);
        self.indices.extend(fields.index.and_then(Edn::integer));
        self.events.push(Event { kind, process, function: function.into(), key: fields.key.cloned(), value, time_ns, offset });
        Ok(())
    }

    /// Where nobody says who did it, only an order without overlap says which completion belongs to which invocation.
    fn check_names(&mut self, nameless: bool, kind: EventKind) -> Result<(), String> {
        if *self.nameless.get_or_insert(nameless) != nameless {
            return Err(format!("an operation {} a :process, as those before it", if nameless { "with" } else { "without" }));
        }
        let is_open = self.events.last().is_some_and(|event| event.kind == EventKind::Invoke);
        if nameless && is_open == (kind == EventKind::Invoke) {
            return Err("an operation with a :process; without one, each invocation is followed by its completion".to_owned());
        }
        Ok(())
    }

    /// The events in the order of their `:index`, where each has one of its own: a file may have been sorted by something else.
    #[must_use]
    pub fn in_order(mut self) -> Self {
        let rises = |indices: &[i64]| indices.windows(2).all(|pair| pair[0] < pair[1]);
        let mut sorted = self.indices.clone();
        sorted.sort_unstable();
        if self.nameless != Some(true) && self.indices.len() == self.events.len() && rises(&sorted) && !rises(&self.indices) {
            let mut events: Vec<(i64, Event)> = self.indices.drain(..).zip(self.events).collect();
            events.sort_by_key(|(index, _)| *index);
            self.events = events.into_iter().map(|(_, event)| event).collect();
        }
        self
    }
}

#[derive(Default)]
struct Fields<'a> {
    kind: Option<&'a Edn>,
    process: Option<&'a Edn>,
    client: Option<&'a Edn>,
    function: Option<&'a Edn>,
    key: Option<&'a Edn>,
    value: Option<&'a Edn>,
    time: Option<&'a Edn>,
    timestamp: Option<&'a Edn>,
    index: Option<&'a Edn>,
}

impl<'a> Fields<'a> {
    fn of(form: &'a Edn) -> Result<Self, String> {
        let mut fields = Self::default();
        match form {
            Edn::Map(pairs) => {
                for (name, value) in pairs {
                    let name = name.word().ok_or_else(|| format!("a name for each field of an operation, found {}", name.kind()))?;
                    if let Some(field) = fields.named(name)
                        && field.replace(value).is_some()
                    {
                        return Err(format!("an operation with one :{name}, found two"));
                    }
                }
            }
            // Behind the value may be an error. The keyword keeps arrays of JSON out, whose null is none of EDN's.
            Edn::Vector(forms) if matches!(forms.len(), 4 | 5) && matches!(forms[1], Edn::Keyword(_)) => {
                [fields.process, fields.kind, fields.function, fields.value] = [0, 1, 2, 3].map(|place| Some(&forms[place]));
            }
            _ => {
                let usual = "{:type :invoke, :process 0, :f :read, :value nil}";
                return Err(format!("an operation such as {usual} or [0 :invoke :read nil], found {}", form.kind()));
            }
        }
        Ok(fields)
    }

    fn named(&mut self, name: &str) -> Option<&mut Option<&'a Edn>> {
        match name {
            "type" => Some(&mut self.kind),
            "process" => Some(&mut self.process),
            "client" => Some(&mut self.client),
            "f" => Some(&mut self.function),
            "key" => Some(&mut self.key),
            "value" => Some(&mut self.value),
            "time" => Some(&mut self.time),
            "timestamp" => Some(&mut self.timestamp),
            "index" => Some(&mut self.index),
            _ => None,
        }
    }
}
