//! A mail server in this process, on loopback: takes what it is told to take, and says later or no where it is told to.
//!
//! Speaks as much of RFC 5321 as a client needs that sends. What a real server makes of our mail is tested with one we did not write, in
//! `tests/clients`.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::net::{TcpListener, TcpStream};

/// A mail that was taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// Envelope recipient.
    pub to: String,
    /// The whole mail, headers and all.
    pub text: String,
}

impl Taken {
    /// The value of a header that stands on one line.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.text
            .lines()
            .take_while(|line| !line.is_empty())
            .find_map(|line| line.strip_prefix(name)?.strip_prefix(": "))
    }
}

#[derive(Debug, Default)]
struct State {
    taken: Vec<Taken>,
    /// Answers to the next recipients; with none left they are welcome.
    recipients: VecDeque<String>,
    /// Answers to the next sign-ins.
    sign_ins: VecDeque<String>,
    /// Hangs up instead of saying that it took the next mail.
    hangs_up: bool,
    connections: usize,
}

/// The server; it ends with its last clone's runtime.
#[derive(Clone, Debug)]
pub struct MailBox {
    /// Its port on 127.0.0.1.
    pub port: u16,
    state: Arc<Mutex<State>>,
}

impl MailBox {
    /// Listens on a free port of loopback.
    ///
    /// # Panics
    /// When loopback has no free port.
    pub async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0))
            .await
            .expect("loopback has a free port");
        let port = listener.local_addr().expect("it listens").port();
        let state: Arc<Mutex<State>> = Arc::default();
        let shared = Arc::clone(&state);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let state = Arc::clone(&shared);
                // A client that hangs up is none of the test's business.
                tokio::spawn(async move { talk(stream, &state).await.ok() });
            }
        });
        Self { port, state }
    }

    /// Answers the next recipients like this, in turn, such as `450 4.2.1 later`.
    pub fn answer_recipients(&self, answers: &[&str]) {
        lock(&self.state)
            .recipients
            .extend(answers.iter().map(|text| (*text).to_owned()));
    }

    /// Answers the next sign-ins like this, in turn.
    pub fn answer_sign_ins(&self, answers: &[&str]) {
        lock(&self.state)
            .sign_ins
            .extend(answers.iter().map(|text| (*text).to_owned()));
    }

    /// Takes the next mail and hangs up without saying so.
    pub fn hang_up_once(&self) {
        lock(&self.state).hangs_up = true;
    }

    /// All mail so far.
    #[must_use]
    pub fn taken(&self) -> Vec<Taken> {
        lock(&self.state).taken.clone()
    }

    /// How often somebody connected.
    #[must_use]
    pub fn connections(&self) -> usize {
        lock(&self.state).connections
    }
}

fn lock(state: &Mutex<State>) -> std::sync::MutexGuard<'_, State> {
    state.lock().unwrap_or_else(PoisonError::into_inner)
}

async fn talk(stream: TcpStream, state: &Mutex<State>) -> std::io::Result<()> {
    lock(state).connections += 1;
    let mut stream = BufReader::new(stream);
    stream.write_all(b"220 mail.test ready\r\n").await?;
    let mut to = String::new();
    loop {
        let mut line = String::new();
        if stream.read_line(&mut line).await? == 0 {
            return Ok(());
        }
        let line = line.trim_end();
        let word = line
            .split(' ')
            .next()
            .unwrap_or_default()
            .to_ascii_uppercase();
        let answer = match word.as_str() {
            "EHLO" => "250-mail.test\r\n250-8BITMIME\r\n250-SMTPUTF8\r\n250 AUTH PLAIN".to_owned(),
            "AUTH" => {
                let said = lock(state).sign_ins.pop_front();
                said.unwrap_or_else(|| "235 2.7.0 welcome".to_owned())
            }
            "RCPT" => {
                to = line.split(['<', '>']).nth(1).unwrap_or_default().to_owned();
                let said = lock(state).recipients.pop_front();
                said.unwrap_or_else(|| "250 2.1.5 welcome".to_owned())
            }
            "DATA" => {
                stream.write_all(b"354 go on\r\n").await?;
                let mut text = String::new();
                loop {
                    let mut line = String::new();
                    if stream.read_line(&mut line).await? == 0 {
                        return Ok(());
                    }
                    if line == ".\r\n" {
                        break;
                    }
                    text.push_str(line.strip_prefix('.').unwrap_or(&line));
                }
                let hangs_up = {
                    let mut state = lock(state);
                    state.taken.push(Taken {
                        to: to.clone(),
                        text,
                    });
                    std::mem::take(&mut state.hangs_up)
                };
                if hangs_up {
                    return Ok(());
                }
                "250 2.0.0 taken".to_owned()
            }
            "QUIT" => {
                stream.write_all(b"221 2.0.0 bye\r\n").await?;
                return Ok(());
            }
            _ => "250 2.0.0 fine".to_owned(),
        };
        stream.write_all(format!("{answer}\r\n").as_bytes()).await?;
    }
}
