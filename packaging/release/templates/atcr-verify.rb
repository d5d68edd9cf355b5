# A Homebrew formula for a tap, written by `make release` from packaging/release/templates. No Homebrew has run it yet.
#
# The program must stay as it is: Homebrew has to be newer than August 2026, which leaves programs made by Bun alone when it
# relocates ELF files on Linux. An older one breaks the program, and `brew test` shows it.
class AtcrVerify < Formula
  desc "Verify that a signer you trust signed exactly this image, in an ATProto repo"
  homepage "@URL@"
  version "@VERSION@"
  license "Apache-2.0"

  on_macos do
    on_arm do
      url "@URL@/@NAME_MACOS_ARM64@"
      sha256 "@SHA256_MACOS_ARM64@"
    end
    on_intel do
      url "@URL@/@NAME_MACOS_X64@"
      sha256 "@SHA256_MACOS_X64@"
    end
  end

  on_linux do
    on_arm do
      url "@URL@/@NAME_LINUX_ARM64@"
      sha256 "@SHA256_LINUX_ARM64@"
    end
    on_intel do
      url "@URL@/@NAME_LINUX_AMD64@"
      sha256 "@SHA256_LINUX_AMD64@"
    end
  end

  def install
    bin.install "atcr-verify"
    man8.install "man/atcr-verify.8"
    man5.install "man/atcr-verify-policy.5"
    bash_completion.install "completions/atcr-verify.bash" => "atcr-verify"
    zsh_completion.install "completions/_atcr-verify"
    fish_completion.install "completions/atcr-verify.fish"
    pkgshare.install "trust-policy.schema.json", "verify-result.schema.json"
    doc.install "THIRD-PARTY-NOTICES.txt", "atcr-verify.cdx.json"
  end

  test do
    assert_equal "atcr-verify @VERSION@\n", shell_output("#{bin}/atcr-verify --version")
    assert_match "all as expected", shell_output("#{bin}/atcr-verify selftest")
  end
end
