//! A server that answers as it is told, or does not.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

/// What is done with a request.
#[derive(Clone)]
pub enum Play {
    /// These bytes are sent; the connection stays open.
    Bytes(Vec<u8>),
    /// These bytes are sent, and the connection is closed.
    CutOff(Vec<u8>),
    /// Nothing is sent, until the other side gives up.
    Silence,
    /// A head with a status, then bytes without an end, until the other side gives up.
    Flood(&'static str),
}

/// A whole answer.
pub fn answer(status: &str, headers: &str, body: &str) -> Play {
    let head = format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\n{headers}\r\n", body.len());
    Play::Bytes(format!("{head}{body}").into_bytes())
}

/// A request as it came.
#[derive(Clone)]
pub struct Seen {
    /// The request line and the headers.
    pub head: String,
    /// The body.
    pub body: Vec<u8>,
}

impl Seen {
    pub fn line(&self) -> &str {
        self.head.lines().next().unwrap_or_default()
    }

    pub fn header(&self, name: &str) -> Option<&str> {
        let mut pairs = self.head.lines().filter_map(|line| line.split_once(": "));
        pairs.find(|(found, _)| found.eq_ignore_ascii_case(name)).map(|(_, value)| value)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }
}

/// The server; it closes with its value.
pub struct Stub {
    address: SocketAddr,
    seen: Arc<Mutex<Vec<Seen>>>,
    connections: Arc<AtomicUsize>,
    closing: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Stub {
    /// Plays the same for every request.
    pub fn playing(play: Play) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (seen, connections, closing) =
            (Arc::default(), Arc::<AtomicUsize>::default(), Arc::<AtomicBool>::default());
        let thread = std::thread::spawn({
            let (seen, connections, closing) = (Arc::clone(&seen), Arc::clone(&connections), Arc::clone(&closing));
            move || {
                for stream in listener.incoming() {
                    if closing.load(Ordering::SeqCst) {
                        return;
                    }
                    connections.fetch_add(1, Ordering::SeqCst);
                    let (seen, play) = (Arc::clone(&seen), play.clone());
                    std::thread::spawn(move || serve(stream.unwrap(), &seen, &play));
                }
            }
        });
        Self { address, seen, connections, closing, thread: Some(thread) }
    }

    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    pub fn seen(&self) -> Vec<Seen> {
        self.seen.lock().unwrap().clone()
    }

    pub fn connections(&self) -> usize {
        self.connections.load(Ordering::SeqCst)
    }
}

impl Drop for Stub {
    fn drop(&mut self) {
        self.closing.store(true, Ordering::SeqCst);
        drop(TcpStream::connect(self.address));
        if let Some(thread) = self.thread.take() {
            drop(thread.join());
        }
    }
}

/// Serves a connection until one side closes it.
pub fn serve(mut stream: impl Read + Write + Closing, seen: &Mutex<Vec<Seen>>, play: &Play) {
    while let Some(request) = read(&mut stream) {
        seen.lock().unwrap().push(request);
        match play {
            Play::Bytes(bytes) => {
                if stream.write_all(bytes).and_then(|()| stream.flush()).is_err() {
                    return;
                }
            }
            Play::CutOff(bytes) => {
                drop(stream.write_all(bytes).and_then(|()| stream.flush()));
                return stream.close();
            }
            Play::Silence => {
                while matches!(stream.read(&mut [0; 64]), Ok(1..)) {}
                return;
            }
            Play::Flood(status) => {
                let head = format!("HTTP/1.1 {status}\r\ncontent-length: 99999999999\r\n\r\n");
                let mut sent = stream.write_all(head.as_bytes());
                while sent.is_ok() {
                    sent = stream.write_all(&[b' '; 8192]);
                }
                return;
            }
        }
    }
}

/// Streams that can be closed from this side.
pub trait Closing {
    fn close(&mut self);
}

impl Closing for TcpStream {
    fn close(&mut self) {
        drop(self.shutdown(Shutdown::Both));
    }
}

fn read(stream: &mut impl Read) -> Option<Seen> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8(bytes[..end].to_vec()).unwrap();
            let mut request = Seen { head, body: bytes[end + 4..].to_vec() };
            let length: usize = request.header("content-length").map_or(0, |length| length.parse().unwrap());
            while request.body.len() < length {
                let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
                request.body.extend_from_slice(&chunk[..count]);
            }
            return Some(request);
        }
        let count = stream.read(&mut chunk).ok().filter(|count| *count > 0)?;
        bytes.extend_from_slice(&chunk[..count]);
    }
}
