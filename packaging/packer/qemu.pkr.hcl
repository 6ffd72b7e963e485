variable "qemu_accelerator" {
  type        = string
  default     = "kvm"
  description = "kvm, or tcg on a machine without KVM, which is slow."
}

variable "debian_cloud_image" {
  type    = string
  default = "https://cloud.debian.org/images/cloud/trixie/latest/debian-13-generic-amd64.qcow2"
}

variable "debian_cloud_checksum" {
  type    = string
  default = "file:https://cloud.debian.org/images/cloud/trixie/latest/SHA512SUMS"
}

# A disk image for OpenStack, libvirt, Proxmox and bare metal, based on Debian's.
source "qemu" "debian" {
  disk_image       = true
  iso_url          = var.debian_cloud_image
  iso_checksum     = var.debian_cloud_checksum
  output_directory = "build/packer-qemu"
  vm_name          = "${local.name}.qcow2"
  format           = "qcow2"
  disk_size        = "16G"
  disk_compression = true
  accelerator      = var.qemu_accelerator
  cpus             = 2
  memory           = 2048
  headless         = true

  cd_label = "cidata"
  cd_content = {
    "meta-data" = "instance-id: packer\n"
    "user-data" = <<-END
      #cloud-config
      password: ${local.password}
      chpasswd: {expire: false}
      ssh_pwauth: true
    END
  }

  ssh_username     = "debian"
  ssh_password     = local.password
  ssh_timeout      = "20m"
  shutdown_command = "sudo sh -c 'passwd --lock debian; rm -f /etc/ssh/sshd_config.d/50-cloud-init.conf; systemctl poweroff'"
}
