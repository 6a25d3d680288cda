//! A mailbox for the demo: takes mail by SMTP on the loopback and writes each message into a folder.

use std::path::{Path, PathBuf};

use tokio::io::{AsyncBufReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

const MESSAGE_BYTES_MAX: usize = 8 << 20;

/// Opens the mailbox; answers its port.
pub async fn open(folder: &Path) -> std::io::Result<u16> {
    std::fs::create_dir_all(folder)?;
    let listener = TcpListener::bind(("127.0.0.1", 0)).await?;
    let port = listener.local_addr()?.port();
    let folder = folder.to_path_buf();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let folder = folder.clone();
            tokio::spawn(async move {
                if let Err(error) = converse(stream, folder).await {
                    tracing::debug!(%error, "a mail conversation broke off");
                }
            });
        }
    });
    Ok(port)
}

async fn converse(stream: TcpStream, folder: PathBuf) -> std::io::Result<()> {
    let (read, mut write) = stream.into_split();
    let mut lines = BufReader::new(read).split(b'\n');
    write.write_all(b"220 mailbox ready\r\n").await?;
    while let Some(line) = lines.next_segment().await? {
        let command = String::from_utf8_lossy(&line).trim().to_ascii_uppercase();
        let answer: &[u8] = match command.split(' ').next().unwrap_or("") {
            "EHLO" => b"250-mailbox\r\n250 8BITMIME\r\n",
            "DATA" => {
                write.write_all(b"354 go on\r\n").await?;
                let mut message = Vec::new();
                while let Some(line) = lines.next_segment().await? {
                    if line == b".\r" || message.len() > MESSAGE_BYTES_MAX {
                        break;
                    }
                    message.extend_from_slice(line.strip_prefix(b".").unwrap_or(&line));
                    message.push(b'\n');
                }
                let name = format!("{}.eml", jiff::Timestamp::now().strftime("%Y%m%dT%H%M%S%.6fZ"));
                tokio::fs::write(folder.join(name), message).await?;
                b"250 kept\r\n"
            }
            "QUIT" => {
                write.write_all(b"221 bye\r\n").await?;
                return Ok(());
            }
            _ => b"250 ok\r\n",
        };
        write.write_all(answer).await?;
    }
    Ok(())
}
