# A Nix expression, written by `make release` from packaging/release/templates: nix-build atcr-verify.nix
# Nix has parsed it; no Nix has built it yet.
#
# The program is installed as it is: strip and patchelf break it, since its code lies in a section of its own. So it asks for
# glibc's loader where all other systems have it. NixOS has none there: it takes programs.nix-ld.enable = true.
{ pkgs ? import <nixpkgs> { } }:

let
  archives = {
    x86_64-linux = {
      name = "@NAME_LINUX_AMD64@";
      hash = "@SRI_LINUX_AMD64@";
    };
    aarch64-linux = {
      name = "@NAME_LINUX_ARM64@";
      hash = "@SRI_LINUX_ARM64@";
    };
    x86_64-darwin = {
      name = "@NAME_MACOS_X64@";
      hash = "@SRI_MACOS_X64@";
    };
    aarch64-darwin = {
      name = "@NAME_MACOS_ARM64@";
      hash = "@SRI_MACOS_ARM64@";
    };
  };
  system = pkgs.stdenv.hostPlatform.system;
  archive = archives.${system} or (throw "atcr-verify: no program for ${system}");
in
pkgs.stdenv.mkDerivation {
  pname = "atcr-verify";
  version = "@VERSION@";
  src = pkgs.fetchurl {
    url = "@URL@/${archive.name}";
    inherit (archive) hash;
  };
  nativeBuildInputs = [ pkgs.installShellFiles ];
  dontConfigure = true;
  dontBuild = true;
  dontStrip = true;
  dontPatchELF = true;
  installPhase = ''
    runHook preInstall
    install -D -m 0755 atcr-verify $out/bin/atcr-verify
    install -D -m 0644 -t $out/share/atcr-verify trust-policy.schema.json verify-result.schema.json
    install -D -m 0644 -t $out/share/doc/atcr-verify LICENSE THIRD-PARTY-NOTICES.txt atcr-verify.cdx.json
    installManPage man/*
    installShellCompletion --bash --name atcr-verify completions/atcr-verify.bash
    installShellCompletion --zsh completions/_atcr-verify
    installShellCompletion --fish completions/atcr-verify.fish
    runHook postInstall
  '';
  meta = {
    description = "Verify that a signer you trust signed exactly this image, in an ATProto repo";
    license = pkgs.lib.licenses.asl20;
    mainProgram = "atcr-verify";
    platforms = builtins.attrNames archives;
    sourceProvenance = [ pkgs.lib.sourceTypes.binaryNativeCode ];
  };
}
