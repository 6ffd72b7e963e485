# Bakes dockhost into machine images:
#
#   packer init packaging/packer
#   packer build -only='dockhost.amazon-ebs.*' -var package=dockhost_1.0.0_amd64.deb packaging/packer
#
# Each platform has a file in this directory, with its variables.

packer {
  required_version = ">= 1.9.0"
  required_plugins {
    amazon = {
      source  = "github.com/hashicorp/amazon"
      version = ">= 1.3.0"
    }
    googlecompute = {
      source  = "github.com/hashicorp/googlecompute"
      version = ">= 1.1.0"
    }
    vsphere = {
      source  = "github.com/hashicorp/vsphere"
      version = ">= 1.4.0"
    }
    qemu = {
      source  = "github.com/hashicorp/qemu"
      version = ">= 1.1.0"
    }
  }
}

variable "package" {
  type        = string
  description = "The deb of dockhost for the image's architecture."
}

variable "preload" {
  type        = list(string)
  default     = []
  description = "Container images to include, so that a boot does not pull them."
}

variable "docker_config" {
  type        = string
  default     = ""
  sensitive   = true
  description = "A config.json for Docker with the logins that preload needs. It does not stay in the image."
}

variable "nvidia_driver" {
  type        = list(string)
  default     = []
  description = "Packages of NVIDIA's driver, such as nvidia-driver. The image's apt sources must have them (on Debian: non-free)."
}

locals {
  name = "dockhost-debian-13-${formatdate("YYYYMMDDhhmmss", timestamp())}"
  # The password for Packer's login on platforms that provide no SSH key.
  password = uuidv4()

  logins = var.docker_config == "" ? [] : ["--docker-config", "/var/tmp/bake"]
  arguments = concat(
    ["--package", "/var/tmp/bake/dockhost.deb"],
    flatten([for image in var.preload : ["--preload", image]]),
    flatten([for package in var.nvidia_driver : ["--nvidia-driver", package]]),
    local.logins,
  )
}

build {
  name = "dockhost"
  sources = [
    "source.amazon-ebs.debian",
    "source.googlecompute.debian",
    "source.vsphere-iso.debian",
    "source.qemu.debian",
  ]

  # The driver is built for the installed kernels, so install the new kernel first.
  provisioner "shell" {
    inline = [
      "if command -v cloud-init >/dev/null; then sudo cloud-init status --wait || [ $? = 2 ]; fi",
      "sudo apt-get -q update",
      "sudo env DEBIAN_FRONTEND=noninteractive apt-get -q -y dist-upgrade",
      "sudo systemctl reboot",
    ]
    expect_disconnect = true
  }

  provisioner "shell" {
    pause_before = "10s"
    inline       = ["install -d -m 0700 /var/tmp/bake"]
  }

  provisioner "file" {
    source      = "${path.root}/../bake"
    destination = "/var/tmp/bake/bake"
  }

  provisioner "file" {
    source      = var.package
    destination = "/var/tmp/bake/dockhost.deb"
  }

  provisioner "file" {
    content     = var.docker_config == "" ? "{}" : var.docker_config
    destination = "/var/tmp/bake/config.json"
  }

  provisioner "shell" {
    inline = [
      "sudo bash /var/tmp/bake/bake --this-machine ${join(" ", [for word in local.arguments : "'${word}'"])} /",
      "rm -rf /var/tmp/bake",
    ]
  }
}
