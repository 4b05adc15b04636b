//! Where the three clouds are. Only the operator's own configuration sets this, never a custom resource (design §9).

/// Base URLs without a trailing slash, and a CA to trust besides the platform's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Endpoints {
    /// Azure Resource Manager.
    pub azure: String,
    /// Microsoft Entra: a bare https origin (azure.md §11).
    pub azure_authority: String,
    /// One endpoint for EC2, Direct Connect and STS; `None` means the SDK's own per region.
    pub aws: Option<String>,
    /// Megaport's API.
    pub megaport: String,
    /// Megaport's full token URL.
    pub megaport_auth: String,
    /// PEM of a CA trusted besides the platform's, for company proxies and the sandbox.
    pub extra_ca_pem: Option<Vec<u8>>,
}

impl Default for Endpoints {
    /// The public clouds. Megaport's is production: its SDK's default of staging would order nothing (megaport.md §1.1).
    fn default() -> Self {
        Self {
            azure: "https://management.azure.com".to_owned(),
            azure_authority: "https://login.microsoftonline.com".to_owned(),
            aws: None,
            megaport: "https://api.megaport.com".to_owned(),
            megaport_auth: "https://auth-m2m.megaport.com/oauth2/token".to_owned(),
            extra_ca_pem: None,
        }
    }
}

impl Endpoints {
    /// Overrides what is given and not empty (the operator's flags; empty means the public cloud).
    pub fn overridden(
        azure: Option<&str>,
        azure_authority: Option<&str>,
        aws: Option<&str>,
        megaport: Option<&str>,
        megaport_auth: Option<&str>,
        extra_ca_pem: Option<Vec<u8>>,
    ) -> Self {
        let public = Self::default();
        let pick = |given: Option<&str>, default: String| match given.map(str::trim) {
            Some(url) if !url.is_empty() => url.trim_end_matches('/').to_owned(),
            _ => default,
        };
        Self {
            azure: pick(azure, public.azure),
            azure_authority: pick(azure_authority, public.azure_authority),
            aws: aws
                .map(|u| u.trim().trim_end_matches('/').to_owned())
                .filter(|u| !u.is_empty()),
            megaport: pick(megaport, public.megaport),
            megaport_auth: pick(megaport_auth, public.megaport_auth),
            extra_ca_pem,
        }
    }

    /// The OAuth scope of the management endpoint. It follows the audience of the cloud, not the address: a sandbox or
    /// private endpoint still wants the public cloud's (azure.md §1.1, §11).
    pub fn azure_scope(&self) -> &'static str {
        if self.azure.contains("management.usgovcloudapi.net") {
            "https://management.usgovcloudapi.net/.default"
        } else if self.azure.contains("management.chinacloudapi.cn") {
            "https://management.chinacloudapi.cn/.default"
        } else {
            "https://management.azure.com/.default"
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn empty_overrides_mean_the_public_cloud() {
        let e = Endpoints::overridden(Some(""), None, Some(" "), None, None, None);
        assert_eq!(e, Endpoints::default());
        let e = Endpoints::overridden(
            Some("https://127.0.0.1:4430/"),
            None,
            None,
            None,
            None,
            None,
        );
        assert_eq!(e.azure, "https://127.0.0.1:4430");
        assert_eq!(e.azure_scope(), "https://management.azure.com/.default");
    }
}
