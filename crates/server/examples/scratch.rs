use std::path::PathBuf;
fn main() {
    rustls::crypto::ring::default_provider().install_default().ok();
    let rt = tokio::runtime::Runtime::new().unwrap();
    rt.block_on(async {
        let data = PathBuf::from(std::env::args().nth(1).unwrap());
        let flags = server::config::Flags { data: Some(data.clone()), listen: Some("127.0.0.1:7499".parse().unwrap()), syslog_tcp: Some("127.0.0.1:5599".parse().unwrap()), ..Default::default() };
        let config = server::Config::load(None, |n| std::env::var(n).ok(), &flags).unwrap();
        if !data.exists() {
            let (_, t) = server::init(config.clone(), server::Init { organization: "main".into(), origin: "localhost/main".into(), admin: "admin".into(), password: "correct horse battery staple".into() }).await.unwrap();
            std::fs::write("/tmp/scratch.token", t.token).unwrap();
        }
        server::run(config, |_: &str| None, |_, a| eprintln!("listening {a}")).await.unwrap();
    });
}
