variable "gcp_project" {
  type        = string
  default     = ""
  description = "The project in which the image is built."
}

variable "gcp_zone" {
  type    = string
  default = "europe-west1-b"
}

# Credentials are those of gcloud: gcloud auth application-default login, or the machine's service account.
source "googlecompute" "debian" {
  project_id              = var.gcp_project
  zone                    = var.gcp_zone
  machine_type            = "e2-small"
  source_image_family     = "debian-13"
  source_image_project_id = ["debian-cloud"]
  image_name              = local.name
  image_family            = "dockhost-debian-13"
  disk_size               = 16
  ssh_username            = "packer"
}
