//! What keeps write-backs from doing harm: the kill switch, dry run, which fields may be written, and how many updates
//! an hour may hold.
//!
//! Each can be set in the configuration and, for whatever runs, in the `control` topic (kind [`WRITE_BACK_KIND`], id the
//! tenant, or `*` for all): it is looked at before every update, and `control` reaches every process within
//! milliseconds. What is withheld ends as an outcome with its reason, a metric and an audit record; it is not written
//! later, since by then it would be out of date.
//!
//! | file | what |
//! | --- | --- |
//! | `settings` | what holds for a tenant now |
//! | `ceiling` | how many updates this hour has had, over restarts and processes |

mod ceiling;
mod settings;

pub use settings::{Field, Settings, SettingsError, WRITE_BACK_KIND, store};

use ceiling::Ceiling;
use deskstream_runtime::Process;
use deskstream_runtime::config::WriteBackConfig;
use deskstream_runtime::control::{Control, ControlError};
use deskstream_runtime::time::now_ms;
use std::borrow::Cow;

/// Why a write-back is not written.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Withheld {
    /// Value of the label `reason`: `disabled`, `stopped`, `dry_run`, `ceiling`.
    pub reason: &'static str,
    /// For the outcome.
    pub detail: Cow<'static, str>,
}

impl Withheld {
    /// Whether it holds whatever was written before: nothing is even looked at.
    pub fn always(&self) -> bool {
        self.reason == "disabled"
    }

    fn new(reason: &'static str, detail: impl Into<Cow<'static, str>>) -> Self {
        Self { reason, detail: detail.into() }
    }

    /// Decided, not written.
    pub fn dry_run() -> Self {
        Self::new("dry_run", "dry run: decided, not written")
    }
}

/// What may be written to a tenant's tickets now.
pub struct Guard {
    tenant: String,
    config: WriteBackConfig,
    /// What the tenant's own section of the configuration says.
    own: Settings,
    control: Control,
    ceiling: Ceiling,
}

impl Guard {
    /// The guard of a tenant's write-backs to one helpdesk; `account` is its name, as in `acme/zendesk`.
    pub fn new(process: &Process, tenant: &str, account: &str) -> Self {
        let own = process.config.tenants.get(tenant).and_then(|tenant| tenant.write_back.as_ref());
        Self {
            tenant: tenant.to_owned(),
            config: process.config.write_back.clone(),
            own: own.map(Settings::from).unwrap_or_default(),
            control: process.control.clone(),
            ceiling: Ceiling::new(process.control.clone(), tenant, account),
        }
    }

    /// The policy as it is now, or why nothing is written at all.
    ///
    /// # Errors
    /// If write-back is switched off or stopped.
    pub fn policy(&self) -> Result<WriteBackConfig, Withheld> {
        self.now().map(|settings| settings.policy(&self.config))
    }

    /// What the configuration says for all tenants.
    pub fn config(&self) -> &WriteBackConfig {
        &self.config
    }

    /// Whether an update may be sent now: asked right before it is. Counted once for each command.
    ///
    /// # Errors
    /// If the `control` topic can't be written, which counts what is sent.
    pub async fn admit(&self, count: bool) -> Result<Result<(), Withheld>, ControlError> {
        let settings = match self.now() {
            Ok(settings) => settings,
            Err(withheld) => return Ok(Err(withheld)),
        };
        if settings.dry_run.unwrap_or(self.config.dry_run) {
            return Ok(Err(Withheld::dry_run()));
        }
        let Some(most) = settings.max_per_hour.or(self.config.max_per_hour) else { return Ok(Ok(())) };
        if !count || self.ceiling.take(most.get(), now_ms()).await? {
            return Ok(Ok(()));
        }
        let detail = format!("the ceiling of {most} write-backs an hour is reached");
        Ok(Err(Withheld::new("ceiling", detail)))
    }

    fn now(&self) -> Result<Settings, Withheld> {
        if !self.config.enabled {
            return Err(Withheld::new("disabled", "write-back is switched off"));
        }
        let settings = settings::now(&self.control, &self.tenant, &self.own).map_err(|error| {
            tracing::error!(tenant = self.tenant, %error, "write-back is stopped");
            Withheld::new("stopped", "write-back is stopped: its settings can't be read")
        })?;
        match &settings.stopped {
            Some(why) if why.is_empty() => Err(Withheld::new("stopped", "write-back is stopped")),
            Some(why) => Err(Withheld::new("stopped", format!("write-back is stopped: {why}"))),
            None => Ok(settings),
        }
    }
}
