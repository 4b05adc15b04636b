//! The pinned versions, read from the one place that pins them: `e2e/controlplane/go.mod`.
//! May not touch the file system: the module's files are part of the binary, so that it works outside a checkout.

/// `go.mod` of the module that the control plane is built from.
pub(super) const GO_MOD: &str = include_str!("../../controlplane/go.mod");
/// Its `go.sum`.
pub(super) const GO_SUM: &str = include_str!("../../controlplane/go.sum");
/// The file of blank imports that keeps the programs in `go.mod`.
pub(super) const TOOLS_GO: &str = include_str!("../../controlplane/tools.go");

/// Versions of the programs, each with its leading `v`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Versions {
    /// kube-apiserver, kube-controller-manager and kubectl, such as `v1.36.3`.
    pub kubernetes: String,
    /// etcd, such as `v3.6.16`.
    pub etcd: String,
    /// helm, such as `v3.21.4`.
    pub helm: String,
}

impl Versions {
    /// What `go.mod` pins.
    pub fn pinned() -> Self {
        Self {
            kubernetes: required("k8s.io/kubernetes"),
            etcd: required("go.etcd.io/etcd/server/v3"),
            helm: required("helm.sh/helm/v3"),
        }
    }

    /// Major and minor version of Kubernetes, such as `("1", "36")`.
    pub fn kubernetes_minor(&self) -> (&str, &str) {
        let mut parts = self.kubernetes.trim_start_matches('v').split('.');
        (
            parts.next().unwrap_or_default(),
            parts.next().unwrap_or_default(),
        )
    }

    /// The name of the folder in the cache: it changes when any of the versions does.
    pub fn folder(&self) -> String {
        let bare = |v: &str| v.trim_start_matches('v').to_owned();
        format!(
            "{}-etcd{}-helm{}",
            bare(&self.kubernetes),
            bare(&self.etcd),
            bare(&self.helm)
        )
    }
}

/// The version that a `require` line gives to `module`; empty if there is none (the test below excludes that).
fn required(module: &str) -> String {
    GO_MOD
        .lines()
        .filter(|line| !line.contains("=>"))
        .find_map(|line| line.trim().strip_prefix(module)?.strip_prefix(' '))
        .and_then(|rest| rest.split_whitespace().next())
        .unwrap_or_default()
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_program_is_pinned() {
        let versions = Versions::pinned();
        for version in [&versions.kubernetes, &versions.etcd, &versions.helm] {
            assert!(
                version.starts_with('v') && version.split('.').count() == 3,
                "{versions:?}"
            );
        }
        assert_eq!(versions.kubernetes_minor().0, "1");
    }

    /// The staging modules of k8s.io/kubernetes v1.N.P are published as v0.N.P (controlplane.md §2).
    #[test]
    fn staging_modules_match_the_release() {
        let staging = Versions::pinned().kubernetes.replacen("v1.", "v0.", 1);
        let replaced: Vec<_> = GO_MOD.lines().filter(|line| line.contains("=>")).collect();
        assert_eq!(replaced.len(), 33);
        for line in replaced {
            assert!(line.ends_with(&staging), "{line} is not at {staging}");
        }
    }
}
