//! Event streams (WHATWG HTML, "Server-sent events"), cut into events as
//! their bytes come.
//!
//! An event is held from its first byte until its blank line. Each decision
//! before that is made at a number of bytes of the event, never at the end of
//! a part, so that what goes on is the same in whatever parts the stream
//! comes.

use std::borrow::Cow;

use memchr::memchr2;

use super::beginning::Beginning;
use super::body::{Bounds, Fed};
use super::document::Document;
use super::event::{self, Field, Lines};
use super::glance::Glance;
use super::part::{Held, Out, Part};
use super::undecided::{Data, Undecided};
use super::uniform::Uniform;
use super::withheld::Withheld;
use super::{Inspect, Ruling};

/// An event stream, as it comes.
#[derive(Debug)]
pub(super) struct Events {
    bounds: Bounds,
    /// No event stream by its type, so what has no blank line after it counts.
    is_text: bool,
    uniform: Uniform,
    start: Start,
    /// What of the current event has come in earlier parts and not gone on.
    held: Held,
    stage: Stage,
    /// The current line.
    field: Field,
    end: LineEnd,
    /// Something that is more than white space has gone on.
    has_started: bool,
    /// Something has not gone on, and nothing in its place.
    has_gap: bool,
}

/// What the body turns out to be, as some clients do not look at its type.
#[derive(Debug)]
enum Start {
    /// White space only so far.
    Blank,
    Events,
    Json(Box<Document>),
}

/// What becomes of the current event.
#[derive(Debug)]
enum Stage {
    /// It is held.
    Held(Undecided),
    /// It goes on before it is complete.
    Flowing(Box<Glance>),
    /// Something else has gone on in its place.
    Skipped,
}

/// The last line end that has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum LineEnd {
    /// All of it has.
    Whole,
    /// A CR, after which a LF would belong to it.
    Cr,
    /// The same, of a blank line, which has gone on as CRLF.
    BlankCr,
}

/// What has gone on must not become complete.
struct MustCut;

impl Events {
    pub(super) const fn new(bounds: Bounds) -> Self {
        Self {
            bounds,
            is_text: false,
            uniform: Uniform::new(),
            start: Start::Blank,
            held: Held::new(),
            stage: Stage::Held(Undecided::new()),
            field: Field::Name(0),
            end: LineEnd::Whole,
            has_started: false,
            has_gap: false,
        }
    }

    /// A text that is no event stream by its type, but might be taken for one.
    pub(super) fn of_text(bounds: Bounds) -> Self {
        let mut events = Self::new(bounds);
        events.is_text = true;
        events.start = Start::Events;
        events
    }

    pub(super) const fn is_settled(&self) -> bool {
        let is_settled = match &self.start {
            Start::Json(document) => document.is_settled(),
            Start::Blank | Start::Events => !matches!(self.stage, Stage::Flowing(_)),
        };
        is_settled && self.held.is_empty() && self.uniform.is_settled()
    }

    #[cfg(test)]
    pub(super) const fn held(&self) -> (usize, usize) {
        match &self.start {
            Start::Json(document) => document.held(),
            Start::Blank | Start::Events => self.held.size(),
        }
    }

    pub(super) fn feed(&mut self, part: &[u8], is_last: bool, inspect: &mut dyn Inspect) -> Fed {
        match self.uniform.read(part, is_last) {
            Cow::Borrowed(part) => self.feed_uniform(part, is_last, inspect),
            Cow::Owned(part) => match self.feed_uniform(&part, is_last, inspect) {
                Fed::AsItCame => Fed::Instead(part),
                fed => fed,
            },
        }
    }

    fn feed_uniform(&mut self, bytes: &[u8], is_last: bool, inspect: &mut dyn Inspect) -> Fed {
        if let Start::Json(document) = &mut self.start {
            return document.feed(bytes, is_last, inspect);
        }
        if matches!(self.start, Start::Blank) {
            let blank = bytes.len().saturating_sub(bytes.trim_ascii_start().len());
            match bytes.split_at_checked(blank) {
                Some((blank, text @ [b'{' | b'[', ..])) => {
                    return self.feed_json(blank, text, is_last, inspect);
                }
                Some((_, [_, ..])) => self.start = Start::Events,
                _ => {}
            }
        }
        self.feed_events(bytes, is_last, inspect)
    }

    /// A text that turns out to be JSON. Of the white space before it, what
    /// belongs to no whole line is held and becomes part of the text.
    fn feed_json(
        &mut self,
        blank: &[u8],
        text: &[u8],
        is_last: bool,
        inspect: &mut dyn Inspect,
    ) -> Fed {
        let mut out = match self.feed_events(blank, false, inspect) {
            Fed::AsItCame => blank.to_vec(),
            Fed::Instead(bytes) | Fed::Cut(bytes) => bytes,
        };
        let mut document = Document::new(self.bounds);
        let text = [&self.held.take(), text].concat();
        let (bytes, was_cut) = match document.feed(&text, is_last, inspect) {
            Fed::AsItCame => (text, false),
            Fed::Instead(bytes) => (bytes, false),
            Fed::Cut(bytes) => (bytes, true),
        };
        self.start = Start::Json(Box::new(document));
        out.extend_from_slice(&bytes);
        if was_cut {
            Fed::Cut(out)
        } else {
            Fed::Instead(out)
        }
    }

    fn feed_events(&mut self, bytes: &[u8], is_last: bool, inspect: &mut dyn Inspect) -> Fed {
        let mut part = Part {
            bytes,
            out: Out::new(bytes),
            from: 0,
            at: 0,
        };
        while let Some(next) = part.next() {
            if let Err(MustCut) = self.step(next, &mut part, inspect) {
                return part.out.cut();
            }
        }
        if is_last {
            self.finish(&mut part, inspect);
        } else {
            self.held.push(part.undecided(), self.bounds.limit);
        }
        part.out.finish()
    }

    /// Reads the next byte, or more of a line; or decides, and reads nothing.
    fn step(
        &mut self,
        next: u8,
        part: &mut Part<'_>,
        inspect: &mut dyn Inspect,
    ) -> Result<(), MustCut> {
        if self.end == LineEnd::BlankCr {
            self.end = LineEnd::Whole;
            if next == b'\n' {
                part.read(1);
                part.leave_out();
                return Ok(());
            }
        }
        let room = self.room(part);
        if room == 0 {
            return self.at_bound(part, inspect);
        }
        if self.end == LineEnd::Cr {
            self.end = LineEnd::Whole;
            if next == b'\n' {
                part.read(1);
                self.go_along(part);
                return Ok(());
            }
            self.lone_cr(part);
        }
        let rest = part.rest();
        let near = rest.get(..room).unwrap_or(rest);
        match memchr2(b'\r', b'\n', near) {
            Some(0) if self.field.is_blank() => self.end_event(next, part, inspect),
            Some(0) => self.end_line(next, part)?,
            Some(end) => self.read_line(near.get(..end).unwrap_or(near), part)?,
            None => self.read_line(near, part)?,
        }
        Ok(())
    }

    /// How many bytes may be read before something has to be decided.
    fn room(&self, part: &Part<'_>) -> usize {
        let Stage::Held(event) = &self.stage else {
            return usize::MAX;
        };
        let bound = if event.was_asked {
            self.bounds.limit
        } else {
            self.bounds.flow_from
        };
        bound.saturating_sub(self.window_len(part))
    }

    /// The length of what is undecided: what is held, and what of the part
    /// belongs to it.
    fn window_len(&self, part: &Part<'_>) -> usize {
        self.held.len().saturating_add(part.undecided().len())
    }

    // === lines ===

    /// More of the current line.
    fn read_line(&mut self, run: &[u8], part: &mut Part<'_>) -> Result<(), MustCut> {
        let was_data = self.field == Field::Data;
        let value_at = self.field.advance(run);
        let start = self.window_len(part);
        match &mut self.stage {
            Stage::Held(event) => {
                if let Some(value_at) = value_at {
                    event.data.begin(start.saturating_add(value_at));
                }
            }
            Stage::Flowing(glance) => {
                if let Some(value_at) = value_at {
                    glance.feed(b"\n");
                    glance.feed(run.get(value_at..).unwrap_or_default());
                } else if was_data {
                    glance.feed(run);
                }
                if !glance.may_flow() {
                    return Err(MustCut);
                }
            }
            Stage::Skipped => {}
        }
        part.read(run.len());
        self.go_along(part);
        Ok(())
    }

    /// The end of a line that is not blank.
    fn end_line(&mut self, byte: u8, part: &mut Part<'_>) -> Result<(), MustCut> {
        let end = self.window_len(part);
        // Without a colon, the value is empty.
        let is_name = self.field == Field::Name(4);
        match &mut self.stage {
            Stage::Held(event) => {
                if is_name {
                    event.data.begin(end);
                }
                if self.field.ends_as_data() {
                    event.data.end(end);
                }
            }
            Stage::Flowing(glance) if is_name => {
                glance.feed(b"\n");
                if !glance.may_flow() {
                    return Err(MustCut);
                }
            }
            Stage::Flowing(_) | Stage::Skipped => {}
        }
        self.field = Field::Name(0);
        if byte == b'\r' {
            self.end = LineEnd::Cr;
        }
        part.read(1);
        self.go_along(part);
        Ok(())
    }

    /// What has been read goes on, if nothing of it has to wait.
    fn go_along(&mut self, part: &mut Part<'_>) {
        match &self.stage {
            Stage::Held(event) => {
                let waits = event.data.is_some() || self.field.undecided_len() > 0;
                if event.has_begun && !waits {
                    self.let_go(part);
                }
            }
            Stage::Flowing(_) => self.let_go(part),
            Stage::Skipped => part.leave_out(),
        }
    }

    /// The last line ended in a CR alone. Readers that do not take it for the
    /// end of a line would read other lines than these.
    fn lone_cr(&mut self, part: &mut Part<'_>) {
        let is_here = self.window_len(part) > 0;
        match &mut self.stage {
            Stage::Held(event) if is_here => event.has_lone_cr = true,
            Stage::Held(_) | Stage::Flowing(_) => part.out.put(b"\n"),
            Stage::Skipped => {}
        }
    }

    // === decisions ===

    /// The blank line of the current event.
    fn end_event(&mut self, byte: u8, part: &mut Part<'_>, inspect: &mut dyn Inspect) {
        part.read(1);
        // The event goes on now, whether a LF comes after this or not.
        let mut line_feed: &[u8] = b"";
        if byte == b'\r' {
            if part.next() == Some(b'\n') {
                part.read(1);
            } else {
                line_feed = b"\n";
                self.end = LineEnd::BlankCr;
            }
        }
        match self.rule(part, inspect) {
            None if matches!(self.stage, Stage::Skipped) => part.leave_out(),
            None | Some(Ruling::Pass) => {
                self.let_go(part);
                part.out.put(line_feed);
            }
            Some(ruling) => self.put_in_place(ruling, true, part),
        }
        self.stage = Stage::Held(Undecided::new());
        self.field = Field::Name(0);
    }

    /// What becomes of the current event, if it is held and has data.
    fn rule(&mut self, part: &mut Part<'_>, inspect: &mut dyn Inspect) -> Option<Ruling> {
        self.gather(part);
        let Stage::Held(event) = &self.stage else {
            return None;
        };
        let window = self.window(part);
        let joined;
        let text = match &event.data {
            Data::None => return None,
            Data::One(range) => event::without_space(window.get(range.clone()).unwrap_or_default()),
            Data::Many => {
                joined = event::data(self.lines(part));
                &joined
            }
        };
        Some(if inspect.passes(text) {
            Ruling::Pass
        } else if Beginning::of(text).may_be_message() {
            let ruling = inspect.message(text);
            ruling.unwrap_or_else(|| inspect.unread(Withheld::NotUnderstood))
        } else if self.has_line_like_message(part) {
            // Some clients do not join the lines.
            inspect.unread(Withheld::NotUnderstood)
        } else {
            Ruling::Pass
        })
    }

    /// Whether a line of the data alone may be a message. The first that is
    /// not blank is also the beginning of all of them.
    fn has_line_like_message(&self, part: &Part<'_>) -> bool {
        event::values(self.lines(part)).any(|line| Beginning::of(line).may_be_message())
    }

    /// As much of an event is held as may be before something is decided.
    fn at_bound(&mut self, part: &mut Part<'_>, inspect: &mut dyn Inspect) -> Result<(), MustCut> {
        self.gather(part);
        let Stage::Held(event) = &self.stage else {
            return Ok(());
        };
        if !event.data.is_some() {
            self.let_go_but_line(part);
        } else if event.was_asked {
            let ruling = inspect.unread(Withheld::TooLarge);
            self.put_in_place(ruling, true, part);
            self.stage = Stage::Skipped;
        } else if let Some(glance) = self.glance(part, inspect) {
            self.let_go(part);
            self.stage = Stage::Flowing(glance);
        } else {
            self.change(|event| event.was_asked = true);
        }
        Ok(())
    }

    /// The data so far, if they may go on before they are complete.
    fn glance(&self, part: &Part<'_>, inspect: &dyn Inspect) -> Option<Box<Glance>> {
        if !inspect.may_flow() {
            return None;
        }
        let mut glance: Box<Glance> = Box::default();
        for (place, value) in event::values(self.lines(part)).enumerate() {
            if place > 0 {
                glance.feed(b"\n");
            }
            glance.feed(value);
        }
        glance.may_flow().then_some(glance)
    }

    /// The end of the stream. What has no blank line after it is never
    /// dispatched by a client.
    fn finish(&mut self, part: &mut Part<'_>, inspect: &mut dyn Inspect) {
        self.gather(part);
        let Stage::Held(event) = &self.stage else {
            return;
        };
        let has_data = event.data.is_some() || self.field.ends_as_data();
        if self.is_text && !(has_data && self.has_line_like_message(part)) {
            self.let_go(part);
        } else if has_data {
            // Without its id: it has not been received.
            if let Ruling::Instead(text) = inspect.unread(Withheld::CutOff) {
                self.put_in_place(Ruling::Instead(text), false, part);
            }
        }
        self.held.take();
        part.leave_out();
    }

    // === what goes on ===

    /// What is undecided goes on as it came.
    fn let_go(&mut self, part: &mut Part<'_>) {
        self.gather(part);
        let window = self.window(part);
        let Some(first) = window.first().copied() else {
            return;
        };
        let starts = window.iter().any(u8::is_ascii_graphic);
        if self.has_gap {
            self.begin(first, part);
        }
        self.has_started |= starts;
        let has_lone_cr = matches!(&self.stage, Stage::Held(event) if event.has_lone_cr);
        if has_lone_cr {
            let lines = event::with_line_feeds(self.window(part));
            self.held.take();
            part.out.put_all(lines);
            part.leave_out();
            self.change(|event| event.has_lone_cr = false);
        } else if self.held.is_empty() {
            part.pass();
        } else {
            part.out.put_all(self.held.take());
        }
    }

    /// An event that has no data so far goes on, but for the beginning of a
    /// line that may become data.
    fn let_go_but_line(&mut self, part: &mut Part<'_>) {
        let window = self.window(part);
        let kept = self.field.undecided_len();
        let kept = window.split_at_checked(window.len().saturating_sub(kept));
        let kept = kept.map(|(_, kept)| kept.to_vec()).unwrap_or_default();
        if self.held.is_empty() {
            part.at = part.at.saturating_sub(kept.len());
            self.let_go(part);
            part.at = part.at.saturating_add(kept.len());
        } else {
            let mut all = self.held.take();
            all.truncate(all.len().saturating_sub(kept.len()));
            self.held.push(&all, self.bounds.limit);
            self.let_go(part);
            self.held.push(&kept, self.bounds.limit);
        }
        self.change(|event| event.has_begun = true);
    }

    /// Something goes on in place of the current event.
    fn put_in_place(&mut self, ruling: Ruling, keeps_id: bool, part: &mut Part<'_>) {
        self.gather(part);
        let has_begun = matches!(&self.stage, Stage::Held(event) if event.has_begun);
        let fresh = match ruling {
            Ruling::Instead(text) => event::with_data(self.lines(part), &text, keeps_id),
            Ruling::Drop | Ruling::Pass => event::without_data(self.lines(part), has_begun),
        };
        match fresh.first() {
            Some(first) => {
                self.begin(*first, part);
                self.has_started = true;
            }
            None => self.has_gap = true,
        }
        part.out.put_all(fresh);
        self.held.take();
        part.leave_out();
    }

    /// Where what was before does not go on, the beginning of this must not
    /// become that of the stream: a byte order mark means something there, and
    /// a text may turn into JSON.
    fn begin(&mut self, first: u8, part: &mut Part<'_>) {
        if self.has_started {
            return;
        }
        match first {
            b':' | b'a'..=b'z' => {}
            _ => {
                part.out.put(b":\n");
                self.has_started = true;
            }
        }
    }

    // === what is undecided ===

    /// Puts what of the part is undecided to what is held, if anything is.
    fn gather(&mut self, part: &mut Part<'_>) {
        if !self.held.is_empty() {
            self.held.push(part.undecided(), self.bounds.limit);
            part.leave_out();
        }
    }

    /// What is undecided, after [`gather`](Self::gather).
    fn window<'a>(&'a self, part: &Part<'a>) -> &'a [u8] {
        if self.held.is_empty() {
            part.undecided()
        } else {
            self.held.bytes()
        }
    }

    fn lines<'a>(&'a self, part: &Part<'a>) -> Lines<'a> {
        event::lines(self.window(part))
    }

    fn change(&mut self, change: impl FnOnce(&mut Undecided)) {
        if let Stage::Held(event) = &mut self.stage {
            change(event);
        }
    }
}
