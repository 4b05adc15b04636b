//! `go build` from pinned modules (controlplane.md §2): works wherever a Go module proxy can be reached, and is the only
//! source of kube-controller-manager and helm.
//!
//! May run `go` in the cache folder; a build that is not wanted any more (Ctrl-C, a panic, our death) is ended.

use std::fs::{self, File};
use std::path::Path;
use std::process::Stdio;
use std::time::{Duration, Instant};

use super::binaries::{ObtainError, Sources, Tool, beside, cache_error, install, names};
use super::process::{Guard, tail};
use super::versions::{GO_MOD, GO_SUM, TOOLS_GO, Versions};

/// A sign of life this often while a build runs.
const SIGN_OF_LIFE: Duration = Duration::from_secs(15);

impl Tool {
    fn package(self) -> &'static str {
        match self {
            Self::Etcd => "go.etcd.io/etcd/server/v3",
            Self::KubeApiserver => "k8s.io/kubernetes/cmd/kube-apiserver",
            Self::KubeControllerManager => "k8s.io/kubernetes/cmd/kube-controller-manager",
            Self::Kubectl => "k8s.io/kubernetes/cmd/kubectl",
            Self::Helm => "helm.sh/helm/v3/cmd/helm",
        }
    }

    /// What it takes on two cores, in seconds, after the ones before it (measured, controlplane.md §2).
    fn usual_seconds(self) -> u64 {
        match self {
            Self::Etcd => 20,
            Self::KubeApiserver => 360,
            Self::KubeControllerManager => 95,
            Self::Kubectl => 35,
            Self::Helm => 60,
        }
    }

    /// Without these the server calls itself v0.0.0-master and helm believes in Kubernetes v1.20.
    fn linker_flags(self, versions: &Versions) -> String {
        let (major, minor) = versions.kubernetes_minor();
        let mut flags = String::from("-s -w");
        let mut set = |variable: &str, value: &str| {
            flags.push_str(" -X ");
            flags.push_str(variable);
            flags.push('=');
            flags.push_str(value);
        };
        match self {
            Self::Etcd => {}
            Self::KubeApiserver | Self::KubeControllerManager | Self::Kubectl => {
                for package in [
                    "k8s.io/component-base/version",
                    "k8s.io/client-go/pkg/version",
                ] {
                    set(&format!("{package}.gitVersion"), &versions.kubernetes);
                    set(&format!("{package}.gitMajor"), major);
                    set(&format!("{package}.gitMinor"), minor);
                }
            }
            Self::Helm => {
                set("helm.sh/helm/v3/internal/version.version", &versions.helm);
                for package in [
                    "helm.sh/helm/v3/pkg/chartutil",
                    "helm.sh/helm/v3/pkg/lint/rules",
                ] {
                    set(&format!("{package}.k8sVersionMajor"), major);
                    set(&format!("{package}.k8sVersionMinor"), minor);
                }
            }
        }
        flags
    }
}

/// Builds `tools` into `folder`, each installed as soon as it is done.
pub(super) async fn build(
    sources: &Sources,
    folder: &Path,
    tools: &[Tool],
) -> Result<(), ObtainError> {
    let usual: u64 = tools.iter().map(|tool| tool.usual_seconds()).sum();
    sources.say(&format!(
        "building {} with Go; this happens once and usually takes {} on two cores, from nothing",
        names(tools),
        spoken(usual)
    ));
    let module = beside(folder, "module");
    write_module(&module)?;
    for tool in tools {
        build_one(sources, &module, folder, *tool, tools).await?;
    }
    let _ = fs::remove_dir_all(&module);
    Ok(())
}

fn write_module(module: &Path) -> Result<(), ObtainError> {
    fs::create_dir_all(module).map_err(cache_error("cannot create", module))?;
    for (name, text) in [
        ("go.mod", GO_MOD),
        ("go.sum", GO_SUM),
        ("tools.go", TOOLS_GO),
    ] {
        let path = module.join(name);
        fs::write(&path, text).map_err(cache_error("cannot write", &path))?;
    }
    Ok(())
}

async fn build_one(
    sources: &Sources,
    module: &Path,
    folder: &Path,
    tool: Tool,
    all: &[Tool],
) -> Result<(), ObtainError> {
    let log_path = module.join(format!("{}.log", tool.name()));
    let log = File::create(&log_path).map_err(cache_error("cannot create", &log_path))?;
    let output = module.join(tool.name());
    let mut command = tokio::process::Command::new(&sources.go);
    command
        .args([
            "build",
            "-buildvcs=false",
            "-trimpath",
            "-ldflags",
            &tool.linker_flags(&Versions::pinned()),
            "-o",
        ])
        .arg(&output)
        .arg(tool.package())
        .current_dir(module)
        // The user's own workspace and flags are about the user's own modules.
        .env("CGO_ENABLED", "0")
        .env("GOWORK", "off")
        .env("GOFLAGS", "-mod=readonly")
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(log)
        .process_group(0)
        .kill_on_drop(true);
    sources.say(&format!(
        "building {} (usually {})",
        tool.name(),
        spoken(tool.usual_seconds())
    ));
    let start = Instant::now();
    let mut guard = Guard::start()?;
    let mut child = command.spawn().map_err(|source| ObtainError::NoGo {
        programs: names(all),
        go: sources.go.clone(),
        source,
    })?;
    if let Some(pid) = child.id() {
        guard.watch(pid)?;
    }
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            () = tokio::time::sleep(SIGN_OF_LIFE) => {
                let doing = tail(&log_path, 1);
                let doing = if doing.is_empty() { doing } else { format!(" ({doing})") };
                sources.say(&format!("still building {}, {}{doing}", tool.name(), spoken(start.elapsed().as_secs())));
            }
        }
    };
    guard.release();
    let status = status.map_err(cache_error("cannot wait for the build in", module))?;
    if !status.success() {
        let tail = tail(&log_path, 20);
        return Err(ObtainError::Build {
            program: tool.name(),
            status: status.to_string(),
            tail,
            log: log_path,
        });
    }
    install(&output, folder, tool)?;
    sources.say(&format!(
        "built {} in {}",
        tool.name(),
        spoken(start.elapsed().as_secs())
    ));
    Ok(())
}

fn spoken(seconds: u64) -> String {
    match (seconds / 60, seconds % 60) {
        (0, s) => format!("{s} s"),
        (m, s) => format!("{m} min {s:02} s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A package that `tools.go` does not import would not be in `go.sum`.
    #[test]
    fn what_is_built_is_what_the_module_pins() {
        for tool in Tool::ALL {
            assert!(
                TOOLS_GO.contains(&format!("\"{}\"", tool.package())),
                "{}",
                tool.package()
            );
        }
    }

    #[test]
    fn servers_and_helm_know_their_version() {
        let versions = Versions {
            kubernetes: "v1.36.3".into(),
            etcd: "v3.6.16".into(),
            helm: "v3.21.4".into(),
        };
        let server = Tool::KubeApiserver.linker_flags(&versions);
        assert!(
            server.contains("-X k8s.io/component-base/version.gitVersion=v1.36.3"),
            "{server}"
        );
        assert!(
            server.contains("-X k8s.io/component-base/version.gitMinor=36"),
            "{server}"
        );
        let helm = Tool::Helm.linker_flags(&versions);
        assert!(
            helm.contains("-X helm.sh/helm/v3/pkg/lint/rules.k8sVersionMinor=36"),
            "{helm}"
        );
        assert_eq!(Tool::Etcd.linker_flags(&versions), "-s -w");
    }
}
