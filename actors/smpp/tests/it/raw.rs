//! An SMSC that is nothing but bytes, for what an honest one does not do.

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

use crate::support::soon;

pub const SUBMIT: u32 = 0x04;
pub const DELIVER: u32 = 0x05;
pub const UNBIND: u32 = 0x06;
pub const ENQUIRE: u32 = 0x15;
pub const NACK: u32 = 0x8000_0000;
pub const RESPONSE: u32 = 0x8000_0000;

/// A command: what it is, its status, and its number.
pub struct Frame {
    pub id: u32,
    pub status: u32,
    pub number: u32,
}

pub struct Listener(TcpListener);

impl Listener {
    pub async fn start() -> Self {
        Self(TcpListener::bind("127.0.0.1:0").await.unwrap())
    }

    pub fn port(&self) -> u16 {
        self.0.local_addr().unwrap().port()
    }

    /// The next link, with its bind accepted.
    pub async fn bound(&self) -> Peer {
        let mut peer = self.connected().await;
        let bind = peer.read().await.unwrap();
        peer.write(bind.id | RESPONSE, 0, bind.number, b"SMSC\0").await;
        peer.bind = bind.id;
        peer
    }

    pub async fn connected(&self) -> Peer {
        Peer { stream: soon(self.0.accept()).await.unwrap().0, bind: 0 }
    }
}

pub struct Peer {
    stream: TcpStream,
    /// 1 is a receiver, 2 a transmitter, 9 both.
    pub bind: u32,
}

impl Peer {
    /// The next command; `None` at the end.
    pub async fn read(&mut self) -> Option<Frame> {
        let word = async |stream: &mut TcpStream| soon(stream.read_u32()).await;
        let length = word(&mut self.stream).await.ok()?;
        let (id, status) = (word(&mut self.stream).await.ok()?, word(&mut self.stream).await.ok()?);
        let number = word(&mut self.stream).await.ok()?;
        let mut body = vec![0; usize::try_from(length).unwrap() - 16];
        soon(self.stream.read_exact(&mut body)).await.ok()?;
        Some(Frame { id, status, number })
    }

    pub async fn write(&mut self, id: u32, status: u32, number: u32, body: &[u8]) {
        let mut frame = Vec::new();
        for word in [u32::try_from(body.len()).unwrap() + 16, id, status, number] {
            frame.extend_from_slice(&word.to_be_bytes());
        }
        frame.extend_from_slice(body);
        soon(self.stream.write_all(&frame)).await.unwrap();
    }

    /// A receipt whose optional parameter is these bytes.
    pub async fn receipt(&mut self, number: u32, id: &[u8]) {
        let mut body = b"\0\x01\x0115550101234\0\x05\0Countersign\0\x04\0\0\0\0\0\0\0\0\0\x00\x1e".to_vec();
        body.extend_from_slice(&u16::try_from(id.len()).unwrap().to_be_bytes());
        body.extend_from_slice(id);
        body.extend_from_slice(b"\x04\x27\0\x01\x02");
        self.write(DELIVER, 0, number, &body).await;
    }
}
