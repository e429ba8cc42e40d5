//! A scripted vendor for native tests: each expected request with its answer, in order.
//!
//! A request that was not expected, or one that never came, fails the test with both sides printed.

use std::cell::RefCell;
use std::collections::VecDeque;

use crate::{
    Answer, Call, Context, Failure, Http, Level, Log, Method, Request, Response,
    bindings::seatwise::connector::http::Header,
};

/// One answer of the script.
#[derive(Clone, Debug)]
pub struct Scripted {
    response: Result<Response, Failure>,
}

impl Scripted {
    /// A JSON answer with that status.
    pub fn json(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self::with_type(status, "application/json;charset=UTF-8", body)
    }

    /// An answer of any content type.
    pub fn with_type(status: u16, content_type: &str, body: impl Into<Vec<u8>>) -> Self {
        Self {
            response: Ok(Response {
                status,
                headers: vec![],
                body: body.into(),
            }),
        }
        .header("Content-Type", content_type)
    }

    /// An answer without body and content type.
    pub fn empty(status: u16) -> Self {
        Self {
            response: Ok(Response {
                status,
                headers: vec![],
                body: vec![],
            }),
        }
    }

    /// No answer: the host's failure.
    pub fn failure(failure: Failure) -> Self {
        Self {
            response: Err(failure),
        }
    }

    /// Adds a header to the answer.
    ///
    /// # Panics
    /// On a scripted failure, which has no headers.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        let Ok(response) = &mut self.response else {
            panic!("a failure has no headers");
        };
        response.headers.push(Header {
            name: name.to_owned(),
            value: value.as_bytes().to_vec(),
        });
        self
    }

    /// The answer by itself, for functions that judge one.
    ///
    /// # Panics
    /// On a scripted failure.
    pub fn answer(self) -> Answer {
        match self.response {
            Ok(response) => Answer::new(response),
            Err(failure) => panic!("no answer but {failure:?}"),
        }
    }
}

/// Decides whether a request is the expected one; `Err` says what is wrong with it.
type Wanted = Box<dyn Fn(&Request) -> Result<(), String>>;

/// The script. Dropping it unfinished fails the test.
#[derive(Default)]
pub struct ScriptedHttp {
    script: RefCell<VecDeque<(String, Wanted, Scripted)>>,
    seen: RefCell<Vec<Request>>,
}

impl ScriptedHttp {
    /// An empty script: any request fails the test.
    pub fn new() -> Self {
        Self::default()
    }

    /// Next comes a GET of exactly this path and query.
    #[must_use]
    pub fn get(self, path_with_query: &str, answer: Scripted) -> Self {
        let path = path_with_query.to_owned();
        self.expect(
            format!("GET {path_with_query}"),
            move |request| {
                if request.method != Method::Get {
                    return Err("not a GET".to_owned());
                }
                if request.path_with_query != path {
                    return Err("another path".to_owned());
                }
                Ok(())
            },
            answer,
        )
    }

    /// Next comes a GET whose percent-decoded path and query contain all of these texts.
    #[must_use]
    pub fn get_with(self, texts: &[&str], answer: Scripted) -> Self {
        let texts: Vec<String> = texts.iter().map(|text| (*text).to_owned()).collect();
        self.expect(
            format!("GET with {texts:?}"),
            move |request| {
                if request.method != Method::Get {
                    return Err("not a GET".to_owned());
                }
                let decoded = decode(&request.path_with_query);
                match texts.iter().find(|text| !decoded.contains(text.as_str())) {
                    Some(missing) => Err(format!("{missing:?} is missing in {decoded}")),
                    None => Ok(()),
                }
            },
            answer,
        )
    }

    /// Next comes a request that a closure accepts.
    #[must_use]
    pub fn expect(
        self,
        says: impl Into<String>,
        wanted: impl Fn(&Request) -> Result<(), String> + 'static,
        answer: Scripted,
    ) -> Self {
        self.script
            .borrow_mut()
            .push_back((says.into(), Box::new(wanted), answer));
        self
    }

    /// Every request so far, in order.
    pub fn seen(&self) -> Vec<Request> {
        self.seen.borrow().clone()
    }

    /// The percent-decoded path and query of every request so far.
    pub fn seen_paths(&self) -> Vec<String> {
        self.seen
            .borrow()
            .iter()
            .map(|request| decode(&request.path_with_query))
            .collect()
    }
}

impl Http for ScriptedHttp {
    fn send(&self, request: Request) -> Result<Response, Failure> {
        let next = self.script.borrow_mut().pop_front();
        let Some((says, wanted, answer)) = next else {
            panic!(
                "unexpected request: {:?} {}",
                request.method,
                decode(&request.path_with_query)
            );
        };
        if let Err(why) = wanted(&request) {
            panic!(
                "expected {says}, got {:?} {}: {why}",
                request.method,
                decode(&request.path_with_query)
            );
        }
        self.seen.borrow_mut().push(request);
        answer.response
    }
}

impl Drop for ScriptedHttp {
    fn drop(&mut self) {
        if !std::thread::panicking() {
            let left: Vec<String> = self
                .script
                .borrow()
                .iter()
                .map(|(says, _, _)| says.clone())
                .collect();
            assert!(left.is_empty(), "these requests never came: {left:?}");
        }
    }
}

/// Keeps log records for assertions.
#[derive(Default)]
pub struct Records(RefCell<Vec<(Level, String)>>);

impl Records {
    /// The messages so far.
    pub fn messages(&self) -> Vec<String> {
        self.0
            .borrow()
            .iter()
            .map(|(_, message)| message.clone())
            .collect()
    }
}

impl Log for Records {
    fn emit(&self, level: Level, message: &str, _: &[(String, String)]) {
        self.0.borrow_mut().push((level, message.to_owned()));
    }
}

/// A vendor and a context that belong together.
pub struct Bench {
    /// The script.
    pub http: ScriptedHttp,
    /// What was logged.
    pub log: Records,
    /// What every call gets.
    pub ctx: Context,
}

impl Bench {
    /// 2026-03-31T00:00:00Z, no settings, no memo.
    pub fn new(http: ScriptedHttp) -> Self {
        Self {
            http,
            log: Records::default(),
            ctx: Context {
                now: 1_774_915_200_000,
                settings: "{}".to_owned(),
                granted_scopes: vec!["api".to_owned()],
                memo: vec![],
            },
        }
    }

    /// With that memo.
    #[must_use]
    pub fn memo(mut self, memo: Vec<u8>) -> Self {
        self.ctx.memo = memo;
        self
    }

    /// With those settings.
    #[must_use]
    pub fn settings(mut self, settings: &str) -> Self {
        self.ctx.settings = settings.to_owned();
        self
    }

    /// A call over them.
    pub fn call(&self) -> Call<'_> {
        Call::new(&self.ctx, &self.http, &self.log)
    }
}

/// Undoes percent-encoding, for reading a query in a test.
pub fn decode(text: &str) -> String {
    let bytes = text.as_bytes();
    let mut out = Vec::with_capacity(bytes.len());
    let mut at = 0;
    while at < bytes.len() {
        let pair = bytes
            .get(at + 1..at + 3)
            .and_then(|pair| std::str::from_utf8(pair).ok());
        match pair.and_then(|pair| u8::from_str_radix(pair, 16).ok()) {
            Some(byte) if bytes[at] == b'%' => {
                out.push(byte);
                at += 3;
            }
            _ => {
                out.push(if bytes[at] == b'+' { b' ' } else { bytes[at] });
                at += 1;
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_script_answers_in_order_and_remembers_what_was_asked() {
        let bench = Bench::new(
            ScriptedHttp::new()
                .get("/a", Scripted::json(200, "1"))
                .get_with(&["q=x y"], Scripted::empty(204)),
        );
        assert_eq!(
            bench.call().get("instance", "/a").send().unwrap().body(),
            b"1"
        );
        assert_eq!(
            bench
                .call()
                .get("instance", "/b?q=x%20y")
                .send()
                .unwrap()
                .status(),
            204
        );
        assert_eq!(bench.http.seen_paths(), ["/a", "/b?q=x y"]);
    }

    #[test]
    #[should_panic(expected = "unexpected request")]
    fn a_request_beyond_the_script_fails_the_test() {
        let bench = Bench::new(ScriptedHttp::new());
        let _answer = bench.call().get("instance", "/a").send();
    }

    #[test]
    #[should_panic(expected = "never came")]
    fn a_request_that_never_came_fails_the_test() {
        drop(ScriptedHttp::new().get("/a", Scripted::empty(200)));
    }
}
