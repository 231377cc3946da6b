//! Roles and what each may do: the one table. Routes name the permission they need in `crate::routes`.

use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// What a user is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Runs the installation: every tenant.
    Operator,
    /// Runs a tenant.
    Admin,
    /// Answers tickets.
    Agent,
    /// Corrects judgements.
    Reviewer,
    /// Reads the audit trail, and no ticket.
    Auditor,
    /// Reads metrics, and no ticket.
    Viewer,
}

impl Role {
    /// Every role.
    pub const ALL: [Self; 6] =
        [Self::Operator, Self::Admin, Self::Agent, Self::Reviewer, Self::Auditor, Self::Viewer];

    /// What it may do.
    pub fn permissions(self) -> &'static [Permission] {
        GRANTS.iter().find(|(role, _)| *role == self).map_or(&[], |(_, permissions)| permissions)
    }
}

/// What a route needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// Redacted tickets and their analyses.
    ReadTickets,
    /// Correct an analysis.
    ReviewTickets,
    /// Counts and alerts.
    ReadMetrics,
    /// The audit trail.
    ReadAudit,
    /// Users, their sessions and API keys.
    ReadUsers,
    /// Make, change and remove users, sessions and API keys.
    ManageUsers,
    /// Settings.
    ReadSettings,
    /// Change settings.
    ManageSettings,
    /// All tenants, and work within one of them.
    ManageTenants,
}

impl Permission {
    /// Its name, as in the API.
    pub fn name(self) -> &'static str {
        match self {
            Self::ReadTickets => "read-tickets",
            Self::ReviewTickets => "review-tickets",
            Self::ReadMetrics => "read-metrics",
            Self::ReadAudit => "read-audit",
            Self::ReadUsers => "read-users",
            Self::ManageUsers => "manage-users",
            Self::ReadSettings => "read-settings",
            Self::ManageSettings => "manage-settings",
            Self::ManageTenants => "manage-tenants",
        }
    }
}

use Permission::{
    ManageSettings, ManageTenants, ManageUsers, ReadAudit, ReadMetrics, ReadSettings, ReadTickets, ReadUsers,
    ReviewTickets,
};

/// The table.
const GRANTS: &[(Role, &[Permission])] = &[
    (
        Role::Operator,
        &[
            ReadTickets,
            ReviewTickets,
            ReadMetrics,
            ReadAudit,
            ReadUsers,
            ManageUsers,
            ReadSettings,
            ManageSettings,
            ManageTenants,
        ],
    ),
    (
        Role::Admin,
        &[
            ReadTickets,
            ReviewTickets,
            ReadMetrics,
            ReadAudit,
            ReadUsers,
            ManageUsers,
            ReadSettings,
            ManageSettings,
        ],
    ),
    (Role::Agent, &[ReadTickets, ReadMetrics]),
    (Role::Reviewer, &[ReadTickets, ReviewTickets, ReadMetrics]),
    (Role::Auditor, &[ReadAudit, ReadMetrics, ReadUsers, ReadSettings]),
    (Role::Viewer, &[ReadMetrics]),
];
