//! The demo's folder: configuration, secrets (readable by the user only), logs.

use anyhow::Context;
use clickhouse::Client;
use deskstream_embedded::{ClickHouseEndpoint, Platform, ports};
use deskstream_samples::PortFile;
use secrecy::ExposeSecret;
use std::fmt::Write;
use std::fs;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

/// The demo's tenants.
pub const TENANTS: [&str; 2] = ["acme", "globex"];

/// A folder that is kept, or one that goes with the demo.
pub enum Folder {
    Kept(PathBuf),
    Temporary(tempfile::TempDir),
}

impl Folder {
    pub fn path(&self) -> &Path {
        match self {
            Self::Kept(path) => path,
            Self::Temporary(dir) => dir.path(),
        }
    }
}

/// Makes the demo's folder; only the user may look into it.
pub fn folder(wanted: Option<PathBuf>) -> anyhow::Result<Folder> {
    let folder = match wanted {
        Some(path) => {
            fs::create_dir_all(&path).with_context(|| format!("make folder {}", path.display()))?;
            Folder::Kept(path.canonicalize()?)
        }
        None => Folder::Temporary(tempfile::Builder::new().prefix("deskstream-demo-").tempdir()?),
    };
    fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o700))?;
    for name in ["logs", "secrets"] {
        fs::create_dir_all(folder.path().join(name))?;
    }
    Ok(folder)
}

/// Where everything of the demo is.
pub struct Setup {
    pub root: PathBuf,
    pub kafka: String,
    pub registry: String,
    pub clickhouse: ClickHouseEndpoint,
    pub reader: ClickHouseEndpoint,
    pub webhooks: u16,
    pub admin_run: u16,
    pub admin_connect: u16,
}

impl Setup {
    /// Chooses ports and writes what does not depend on the samples.
    pub fn write(root: &Path, platform: &Platform) -> anyhow::Result<Self> {
        let free = ports::free(3, "the demo")?;
        let setup = Self {
            root: root.to_owned(),
            kafka: platform.kafka().to_owned(),
            registry: platform.registry().to_owned(),
            clickhouse: platform.clickhouse().clone(),
            reader: platform.clickhouse_reader().clone(),
            webhooks: free[0],
            admin_run: free[1],
            admin_connect: free[2],
        };
        setup.secret("clickhouse-reader", setup.reader.password.expose_secret())?;
        let master = setup.secret_path("master");
        if !master.exists() {
            setup.secret("master", deskstream_runtime::seal::MasterKey::generate().expose_secret())?;
        }
        Ok(setup)
    }

    pub fn config_path(&self) -> PathBuf {
        self.root.join("deskstream.toml")
    }

    pub fn port_file(&self) -> PathBuf {
        self.root.join("samples.json")
    }

    pub fn log(&self, name: &str) -> PathBuf {
        self.root.join("logs").join(format!("{name}.log"))
    }

    pub fn secret_path(&self, name: &str) -> PathBuf {
        self.root.join("secrets").join(name)
    }

    fn secret(&self, name: &str, value: &str) -> anyhow::Result<String> {
        let path = self.secret_path(name);
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&path)?;
        std::io::Write::write_all(&mut file, value.as_bytes())?;
        Ok(format!("\"file:{}\"", path.display()))
    }

    /// A ClickHouse client that may only read.
    pub fn reader_client(&self) -> Client {
        Client::default()
            .with_url(self.reader.url.as_str())
            .with_user(&self.reader.user)
            .with_password(self.reader.password.expose_secret())
            .with_database("deskstream")
    }

    /// Writes a configuration without tenants and channels.
    pub fn configure_bare(&self) -> anyhow::Result<()> {
        fs::write(self.config_path(), self.platform()?)?;
        Ok(())
    }

    fn platform(&self) -> anyhow::Result<String> {
        let mut text = String::from("# Written by `deskstream demo`.\n");
        writeln!(text, "[log]\nformat = \"text\"\n")?;
        writeln!(text, "[kafka]\nbootstrap = {:?}\npartitions = 4\n", self.kafka)?;
        writeln!(text, "[registry]\nurl = {:?}\n", self.registry)?;
        writeln!(text, "[keys]\nmaster = \"file:{}\"\n", self.secret_path("master").display())?;
        writeln!(
            text,
            "[clickhouse]\nurl = {:?}\nuser = {:?}",
            self.clickhouse.url.as_str(),
            self.clickhouse.user
        )?;
        let password = self.clickhouse.password.expose_secret();
        if !password.is_empty() {
            writeln!(text, "password = {}", self.secret("clickhouse", password)?)?;
        }
        writeln!(text, "\n[http]\nwebhooks = \"127.0.0.1:{}\"", self.webhooks)?;
        writeln!(text, "\n[connectors]\nhosts = [\"127.0.0.1\"]")?;
        writeln!(text, "\n[spool]\ndirectory = {:?}", self.root.join("spool"))?;
        Ok(text)
    }

    /// Writes the configuration that `connect` and `run` read.
    pub fn configure(&self, samples: &PortFile) -> anyhow::Result<()> {
        let mut text = self.platform()?;
        let pager = self.secret("pagerduty", &samples.pagerduty_routing_key)?;
        let chat = self.secret("slack", &samples.slack_webhook_url)?;
        writeln!(text, "\n[alerts.channels.pager]\nkind = \"pagerduty\"\nrouting_key = {pager}")?;
        writeln!(text, "url = {:?}", samples.pagerduty_url)?;
        writeln!(text, "\n[alerts.channels.chat]\nkind = \"slack\"\nurl = {chat}")?;
        for tenant in &samples.tenants {
            let name = &tenant.tenant;
            let token = self.secret(&format!("{name}-token"), &tenant.api_token)?;
            let secret = tenant.webhook_secret.as_deref().context("a sample Zendesk made no webhook")?;
            let secret = self.secret(&format!("{name}-webhook"), secret)?;
            writeln!(
                text,
                "\n[tenants.{name}.zendesk]\nurl = {:?}\nemail = {:?}",
                tenant.zendesk_url, tenant.email
            )?;
            writeln!(text, "api_token = {token}\nwebhook_secret = {secret}\npoll = \"15s\"")?;
        }
        fs::write(self.config_path(), text)?;
        Ok(())
    }

    /// What a user sees when all is up.
    pub fn welcome(
        &self,
        samples: &PortFile,
        first: &[(&str, String)],
        desks: &[(String, String)],
    ) -> String {
        let mut text = String::new();
        let mut line = |name: &str, value: &str| {
            // Writing to a string does not fail.
            let _ = writeln!(text, "  {name:<14}{value}");
        };
        for (name, value) in first {
            line(name, value);
        }
        line("Kafka", &self.kafka);
        line("registry", &self.registry);
        let user = &self.reader.user;
        line("ClickHouse", &format!("{} (user {user}, database deskstream)", self.reader.url));
        let reader = self.secret_path("clickhouse-reader");
        let ask = format!("curl -u {user}:$(cat {})", reader.display());
        line(
            "ask it",
            &format!(
                "{ask} '{}?database=deskstream' -d 'SELECT * FROM v_tickets LIMIT 3 FORMAT Vertical'",
                self.reader.url
            ),
        );
        line("webhooks", &format!("http://127.0.0.1:{}/webhooks/zendesk/{{tenant}}", self.webhooks));
        line("pipeline", &format!("http://127.0.0.1:{}/metrics  /readyz", self.admin_run));
        line("connectors", &format!("http://127.0.0.1:{}/metrics  /readyz", self.admin_connect));
        for tenant in &samples.tenants {
            line(&format!("{}'s desk", tenant.tenant), &tenant.zendesk_url);
        }
        for (name, value) in desks {
            line(name, value);
        }
        line("files", &self.root.display().to_string());
        format!("\nDeskstream is up.\n{text}\nCtrl-C ends it.\n\n")
    }
}
